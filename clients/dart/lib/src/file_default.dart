import 'exceptions.dart';

/// There are no paths here.
Future<int> fileLength(String path) async => throw const SourceException(
  'There are no file paths on the web. Use ImageInput.stream or ImageInput.bytes.',
);

/// There are no paths here.
Stream<List<int>> fileBytes(String path, int start) =>
    Stream.fromFuture(fileLength(path).then((_) => const <int>[]));
