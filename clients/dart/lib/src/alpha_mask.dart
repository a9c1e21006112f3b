import 'dart:typed_data';

import 'layer.dart';

/// The alpha of a layer inside of its rectangle, for hit tests: a byte for each pixel.
final class AlphaMask {
  /// The alpha in [rgba], four bytes for each pixel of [rect], row by row. Throws an [ArgumentError] for any other size.
  factory AlphaMask.fromRgba(PixelRect rect, ByteData rgba) {
    if (rgba.lengthInBytes != rect.width * rect.height * 4) {
      throw ArgumentError('${rgba.lengthInBytes} bytes are not the pixels of $rect.');
    }
    final alpha = Uint8List(rect.width * rect.height);
    for (var i = 0; i < alpha.length; i++) {
      alpha[i] = rgba.getUint8(i * 4 + 3);
    }
    return AlphaMask._(rect, alpha);
  }

  const AlphaMask._(this._rect, this._alpha);

  final PixelRect _rect;
  final Uint8List _alpha;

  /// Alpha (0 to 255) at the pixel ([x], [y]) of the canvas; 0 outside of the rectangle.
  int at(int x, int y) => _rect.contains(x, y) ? _alpha[(y - _rect.y) * _rect.width + (x - _rect.x)] : 0;
}
