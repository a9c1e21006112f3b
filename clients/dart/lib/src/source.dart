import 'dart:typed_data';

import 'exceptions.dart';
import 'file_default.dart' if (dart.library.io) 'file_io.dart';
import 'transport.dart';

/// The picture to be sent: bytes, a file or a stream.
///
/// lamina takes JPEG, PNG, WebP and GIF, by their content. Orientation (EXIF) is applied by the server, and all
/// metadata is dropped there.
final class ImageInput {
  const ImageInput._(this._length, this._open, {this.repeatable = true});

  /// A picture in memory. Works everywhere, the web included.
  factory ImageInput.bytes(Uint8List bytes) =>
      ImageInput._(() async => bytes.length, (start) => chunksOf(bytes, start));

  /// A file by its path, read in pieces while it is sent. Not on the web.
  factory ImageInput.file(String path) =>
      ImageInput._(() => fileLength(path), (start) => fileBytes(path, start));

  /// Anything that can be read from any offset, as often as needed. For `image_picker` and `file_selector`, on
  /// every platform: `ImageInput.stream(await file.length(), (start) => file.openRead(start))`.
  factory ImageInput.stream(int length, Stream<List<int>> Function(int start) open) =>
      ImageInput._(() async => length, open);

  /// A stream that can be read once. It is sent in one request, which cannot be made again after a cut: prefer one of
  /// the others wherever they are possible.
  factory ImageInput.once(Stream<List<int>> stream) {
    var used = false;
    return ImageInput._(() async => null, (_) {
      if (used) throw const SourceException('The stream was read before, and cannot be read again.');
      used = true;
      return stream;
    }, repeatable: false);
  }

  final Future<int?> Function() _length;
  final Stream<List<int>> Function(int start) _open;

  /// Whether it can be sent again after a cut.
  final bool repeatable;

  /// Its bytes; null if that is not known.
  Future<int?> length() => _length();

  /// Its bytes from [start] on.
  Stream<List<int>> read([int start = 0]) => _open(start);
}
