import 'arrangement.dart';
import 'layer.dart';

/// What a finger does to a stack of layers that is drawn at some size: taps and drags in the coordinates of the drawing become choices and moves of the
/// [LayerArrangement]. It draws nothing, and knows no widget.
final class StackTouch {
  /// Reads the alpha (0 to 255) of a layer's pixel by [_alphaAt], which is asked inside the layer's rectangle only.
  StackTouch(this._alphaAt);

  final int Function(Layer layer, int x, int y) _alphaAt;
  String? _dragged;

  /// The layer that is being dragged.
  String? get dragged => _dragged;

  /// The layer at ([x], [y]) of a drawing in which a pixel of the canvas is [scale] long; null where all is transparent. A stack that is pulled apart by
  /// [exploded] is touched where its layers are drawn.
  PlacedLayer? at(LayerArrangement stack, double x, double y, {required double scale, double exploded = 0}) =>
      stack.hit(x / scale, y / scale, _alphaAt, exploded: exploded);

  /// A finger goes down; the layer under it is the one that [drag] moves.
  PlacedLayer? begin(
    LayerArrangement stack,
    double x,
    double y, {
    required double scale,
    double exploded = 0,
  }) {
    final hit = at(stack, x, y, scale: scale, exploded: exploded);
    _dragged = hit?.layer.id;
    return hit;
  }

  /// The finger moves by ([dx], [dy]) of the drawing. The stack as it is then, or the same one where nothing is dragged.
  LayerArrangement drag(LayerArrangement stack, double dx, double dy, {required double scale}) {
    final id = _dragged;
    return id == null ? stack : stack.move(id, dx / scale, dy / scale);
  }

  /// The finger goes up.
  void end() => _dragged = null;
}
