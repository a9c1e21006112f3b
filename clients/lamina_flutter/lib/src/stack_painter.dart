import 'package:flutter/widgets.dart';
import 'package:lamina_client/lamina_client.dart';

import 'layer_image.dart';

/// Draws the layers of an arrangement, bottom first, each trimmed and in its place.
final class StackPainter extends CustomPainter {
  /// Draws [arrangement] from [images] by the ids of its layers, a pixel of the canvas [scale] long.
  StackPainter(this.arrangement, this.images, this.scale, this.exploded);

  /// What is drawn.
  final LayerArrangement arrangement;

  /// The pixels.
  final Map<String, LayerImage> images;

  /// Length of a pixel of the canvas.
  final double scale;

  /// How far the stack is pulled apart.
  final double exploded;

  @override
  void paint(Canvas canvas, Size size) {
    canvas.scale(scale);
    for (final (index, placed) in arrangement.layers.indexed) {
      final image = images[placed.layer.id]?.image;
      final drawn = arrangement.drawnRect(index, exploded);
      if (drawn == null || image == null || placed.drawnOpacity == 0) continue;
      final (left, top, width, height) = drawn;
      canvas.drawImageRect(
        image,
        Rect.fromLTWH(0, 0, image.width.toDouble(), image.height.toDouble()),
        Rect.fromLTWH(left, top, width, height),
        Paint()
          ..filterQuality = FilterQuality.medium
          ..color = Color.fromRGBO(0, 0, 0, placed.drawnOpacity),
      );
    }
  }

  @override
  bool shouldRepaint(StackPainter oldDelegate) =>
      oldDelegate.arrangement != arrangement ||
      oldDelegate.scale != scale ||
      oldDelegate.exploded != exploded ||
      oldDelegate.images.length != images.length;
}
