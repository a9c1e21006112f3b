import 'dart:io';

import 'exceptions.dart';

/// Bytes of the file at [path].
Future<int> fileLength(String path) async {
  try {
    return await File(path).length();
  } on FileSystemException catch (error) {
    throw SourceException('The file cannot be read: ${error.osError?.message ?? error.message}.');
  }
}

/// The file at [path] from [start], in pieces.
Stream<List<int>> fileBytes(String path, int start) => File(path)
    .openRead(start)
    .handleError((Object error) => throw const SourceException('The file could not be read to its end.'));
