/// A double of `dart:ui` of Flutter 3.29, as far as `lamina_flutter` uses it. Pictures are decoded and trimmed as bytes; nothing is rasterised.
library;

import 'dart:io' show zlib;
import 'dart:math';
import 'dart:typed_data';

typedef VoidCallback = void Function();

class Offset {
  const Offset(this.dx, this.dy);
  final double dx;
  final double dy;

  @override
  bool operator ==(Object other) => other is Offset && other.dx == dx && other.dy == dy;
  @override
  int get hashCode => Object.hash(dx, dy);
  @override
  String toString() => 'Offset($dx, $dy)';
}

class Size {
  const Size(this.width, this.height);
  final double width;
  final double height;
}

class Rect {
  const Rect.fromLTWH(this.left, this.top, this.width, this.height);
  final double left;
  final double top;
  final double width;
  final double height;
}

class Color {
  const Color.fromRGBO(int r, int g, int b, double opacity) : a = opacity;
  final double a;
}

enum FilterQuality { none, low, medium, high }

enum ImageByteFormat { rawRgba, rawStraightRgba, rawUnmodified, rawExtendedRgba128, png }

class Paint {
  FilterQuality filterQuality = FilterQuality.none;
  Color color = const Color.fromRGBO(0, 0, 0, 1);
}

class Image {
  Image._(this.width, this.height, this._rgba) {
    alive++;
  }

  /// Images that were not disposed of.
  static int alive = 0;

  final int width;
  final int height;
  final Uint8List _rgba;
  bool _disposed = false;

  Future<ByteData?> toByteData({ImageByteFormat format = ImageByteFormat.rawRgba}) async {
    if (_disposed) throw StateError('The image was disposed of.');
    if (format != ImageByteFormat.rawStraightRgba) throw UnsupportedError('$format');
    return ByteData.sublistView(_rgba);
  }

  void dispose() {
    if (_disposed) throw StateError('The image was disposed of before.');
    _disposed = true;
    alive--;
  }
}

abstract class FrameInfo {
  Image get image;
}

class _Frame implements FrameInfo {
  _Frame(this.image);
  @override
  final Image image;
}

abstract class Codec {
  Future<FrameInfo> getNextFrame();
  void dispose();
}

class _Png implements Codec {
  _Png(this._bytes);
  final Uint8List _bytes;

  @override
  void dispose() {}

  /// PNG of 8 bits, RGBA, not interlaced: what lamina's layers are.
  @override
  Future<FrameInfo> getNextFrame() async {
    final data = ByteData.sublistView(_bytes);
    if (data.getUint32(0) != 0x89504E47) throw Exception('Invalid image data');
    final (width, height) = (data.getUint32(16), data.getUint32(20));
    if (_bytes[24] != 8 || _bytes[25] != 6 || _bytes[28] != 0) throw Exception('Another kind of PNG');
    final packed = BytesBuilder();
    for (var at = 8; at < _bytes.length; at += 12 + data.getUint32(at)) {
      if (String.fromCharCodes(_bytes, at + 4, at + 8) == 'IDAT') {
        packed.add(Uint8List.sublistView(_bytes, at + 8, at + 8 + data.getUint32(at)));
      }
    }
    final rows = zlib.decode(packed.takeBytes());
    final out = Uint8List(width * height * 4);
    final stride = width * 4;
    for (var y = 0; y < height; y++) {
      final filter = rows[y * (stride + 1)];
      for (var x = 0; x < stride; x++) {
        final left = x < 4 ? 0 : out[y * stride + x - 4];
        final up = y == 0 ? 0 : out[(y - 1) * stride + x];
        final corner = x < 4 || y == 0 ? 0 : out[(y - 1) * stride + x - 4];
        final add = switch (filter) {
          0 => 0,
          1 => left,
          2 => up,
          3 => (left + up) ~/ 2,
          _ => _paeth(left, up, corner),
        };
        out[y * stride + x] = rows[y * (stride + 1) + 1 + x] + add;
      }
    }
    return _Frame(Image._(width, height, out));
  }

  static int _paeth(int a, int b, int c) {
    final p = a + b - c;
    final (pa, pb, pc) = ((p - a).abs(), (p - b).abs(), (p - c).abs());
    if (pa <= pb && pa <= pc) return a;
    return pb <= pc ? b : c;
  }
}

Future<Codec> instantiateImageCodec(
  Uint8List list, {
  int? targetWidth,
  int? targetHeight,
  bool allowUpscaling = true,
}) async => _Png(list);

class PictureRecorder {
  (Image, Rect)? _drawn;

  Picture endRecording() => Picture._(_drawn!);
}

class Picture {
  Picture._(this._drawn);
  final (Image, Rect) _drawn;

  Future<Image> toImage(int width, int height) async {
    final (image, from) = _drawn;
    final out = Uint8List(width * height * 4);
    for (var y = 0; y < min(height, from.height.toInt()); y++) {
      final start = ((from.top.toInt() + y) * image.width + from.left.toInt()) * 4;
      out.setRange(y * width * 4, (y + 1) * width * 4, image._rgba, start);
    }
    return Image._(width, height, out);
  }

  void dispose() {}
}

/// Keeps what was drawn: image, place, opacity; places are those after [scale].
class Canvas {
  Canvas([this._recorder]);

  final PictureRecorder? _recorder;
  final List<(Image, Offset, double)> drawn = [];
  double _scale = 1;

  void scale(double sx, [double? sy]) => _scale *= sx;

  void drawImage(Image image, Offset offset, Paint paint) =>
      drawn.add((image, Offset(offset.dx * _scale, offset.dy * _scale), paint.color.a));

  void drawImageRect(Image image, Rect src, Rect dst, Paint paint) {
    _recorder?._drawn = (image, src);
    widths.add(dst.width * _scale);
    drawn.add((image, Offset(dst.left * _scale, dst.top * _scale), paint.color.a));
  }

  /// How wide each was drawn.
  final List<double> widths = [];
}
