import 'dart:ui' as ui;

import 'package:lamina_client/lamina_client.dart';

/// A layer's pixels, decoded, trimmed to its rectangle, and its alpha for hit tests.
final class LayerImage {
  LayerImage._(this.image, this._alpha);

  /// The trimmed picture; null for an empty layer.
  final ui.Image? image;

  final AlphaMask? _alpha;

  /// Fetches [layer] and decodes it. A stack of ten layers of 1024² takes 40 MB as whole pictures; trimmed it is mostly a fraction of that.
  ///
  /// Throws a [LaminaException] where it cannot be fetched, and whatever the engine throws where it cannot be decoded.
  static Future<LayerImage> load(LaminaClient client, Layer layer, {AbortTrigger? abort}) async {
    final rect = layer.rect;
    if (rect == null) return LayerImage._(null, null);
    final codec = await ui.instantiateImageCodec(await client.layerBytes(layer, abort: abort));
    final whole = (await codec.getNextFrame()).image;
    codec.dispose();
    final recorder = ui.PictureRecorder();
    ui.Canvas(recorder).drawImageRect(
      whole,
      ui.Rect.fromLTWH(rect.x.toDouble(), rect.y.toDouble(), rect.width.toDouble(), rect.height.toDouble()),
      ui.Rect.fromLTWH(0, 0, rect.width.toDouble(), rect.height.toDouble()),
      ui.Paint(),
    );
    final picture = recorder.endRecording();
    final trimmed = await picture.toImage(rect.width, rect.height);
    picture.dispose();
    whole.dispose();
    final pixels = await trimmed.toByteData(format: ui.ImageByteFormat.rawStraightRgba);
    return LayerImage._(trimmed, pixels == null ? null : AlphaMask.fromRgba(rect, pixels));
  }

  /// Alpha (0 to 255) at ([x], [y]) of the canvas.
  int alphaAt(int x, int y) => _alpha?.at(x, y) ?? 0;

  /// Frees the pixels.
  void dispose() => image?.dispose();
}
