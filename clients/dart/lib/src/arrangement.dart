import 'layer.dart';

/// A layer as a person placed it.
final class PlacedLayer {
  /// A [layer], moved by ([dx], [dy]) pixels of the canvas.
  const PlacedLayer(
    this.layer, {
    this.dx = 0,
    this.dy = 0,
    this.scale = 1,
    this.opacity = 1,
    this.visible = true,
  });

  /// The layer.
  final Layer layer;

  /// How far it was moved to the right.
  final double dx;

  /// How far it was moved down.
  final double dy;

  /// How large it is drawn, around the middle of its rectangle, before it is moved: 0.01 to 10.
  final double scale;

  /// 0.0 to 1.0, beside the layer's own.
  final double opacity;

  /// Whether it is drawn.
  final bool visible;

  /// The opacity at which it is drawn.
  double get drawnOpacity => visible ? (opacity * layer.opacity).clamp(0, 1).toDouble() : 0;

  /// The canvas's pixel of the layer's own file that is drawn at ([x], [y]) when the layer lies at the offset ([left], [top]).
  (int, int)? _pixelAt(double x, double y, double left, double top) {
    final rect = layer.rect;
    if (rect == null) return null;
    final (middleX, middleY) = (rect.x + rect.width / 2, rect.y + rect.height / 2);
    final px = ((x - left - middleX) / scale + middleX).floor();
    final py = ((y - top - middleY) / scale + middleY).floor();
    return rect.contains(px, py) ? (px, py) : null;
  }

  PlacedLayer _with({double? dx, double? dy, double? scale, double? opacity, bool? visible}) => PlacedLayer(
    layer,
    dx: dx ?? this.dx,
    dy: dy ?? this.dy,
    scale: scale ?? this.scale,
    opacity: opacity ?? this.opacity,
    visible: visible ?? this.visible,
  );
}

/// A stack of layers as a person arranged it: order, places, opacities. It does not change; each step gives another one, so an undo is to keep
/// the one before. It draws nothing: a widget does that.
final class LayerArrangement {
  const LayerArrangement._(this.layers);

  /// [layers] as the server gave them, bottom first.
  LayerArrangement.of(List<Layer> layers)
    : this._(List.unmodifiable([for (final layer in layers) PlacedLayer(layer)]));

  /// [layers] as [toJson] kept them. Layers that it does not know come on top, unmoved; those that are gone are left out.
  factory LayerArrangement.restore(List<Layer> layers, Map<String, Object?> json) {
    final kept = <String, (int, PlacedLayer Function(Layer))>{};
    if (json['layers'] case final List<Object?> entries) {
      for (final (index, entry) in entries.indexed) {
        if (entry case {
          'id': final String id,
          'dx': final num dx,
          'dy': final num dy,
          'opacity': final num opacity,
          'visible': final bool visible,
        }) {
          kept[id] = (
            index,
            (layer) => PlacedLayer(
              layer,
              dx: dx.toDouble(),
              dy: dy.toDouble(),
              scale: switch (entry['scale']) {
                final num scale => _scaleOf(scale.toDouble()),
                _ => 1,
              },
              opacity: opacity.clamp(0, 1).toDouble(),
              visible: visible,
            ),
          );
        }
      }
    }
    final ordered = [
      for (final (place, layer) in layers.indexed)
        (kept[layer.id]?.$1 ?? kept.length + place, kept[layer.id]?.$2(layer) ?? PlacedLayer(layer)),
    ]..sort((a, b) => a.$1.compareTo(b.$1));
    return LayerArrangement._(List.unmodifiable([for (final (_, placed) in ordered) placed]));
  }

  /// Bottom first.
  final List<PlacedLayer> layers;

  /// Width of the canvas in pixels; 0 without layers.
  int get width => layers.isEmpty ? 0 : layers.first.layer.width;

  /// Height of the canvas in pixels; 0 without layers.
  int get height => layers.isEmpty ? 0 : layers.first.layer.height;

  /// The layer [id] moved by ([dx], [dy]) pixels of the canvas, from where it is.
  LayerArrangement move(String id, double dx, double dy) =>
      _change(id, (placed) => placed._with(dx: placed.dx + dx, dy: placed.dy + dy));

  /// The layer [id] back where it came from, at its own size.
  LayerArrangement home(String id) => _change(id, (placed) => placed._with(dx: 0, dy: 0, scale: 1));

  /// The layer [id] drawn [scale] times as large (0.01 to 10) as the server gave it.
  LayerArrangement resize(String id, double scale) =>
      _change(id, (placed) => placed._with(scale: _scaleOf(scale)));

  static double _scaleOf(double scale) => scale.isFinite ? scale.clamp(0.01, 10).toDouble() : 1;

  /// The layer [id] shown or hidden.
  LayerArrangement show(String id, {required bool visible}) =>
      _change(id, (placed) => placed._with(visible: visible));

  /// The layer [id] at an [opacity] of 0.0 to 1.0.
  LayerArrangement fade(String id, double opacity) =>
      _change(id, (placed) => placed._with(opacity: opacity.clamp(0, 1).toDouble()));

  /// The layer [id] at [index] from the bottom.
  LayerArrangement reorder(String id, int index) {
    final placed = [...layers];
    final from = placed.indexWhere((placed) => placed.layer.id == id);
    if (from < 0) return this;
    final moved = placed.removeAt(from);
    placed.insert(index.clamp(0, placed.length), moved);
    return LayerArrangement._(List.unmodifiable(placed));
  }

  LayerArrangement _change(String id, PlacedLayer Function(PlacedLayer) change) => LayerArrangement._(
    List.unmodifiable([for (final placed in layers) placed.layer.id == id ? change(placed) : placed]),
  );

  /// The uppermost visible layer that is not transparent at ([x], [y]) of the canvas. [alphaAt] gives the alpha (0 to 255) of a layer's pixel; it
  /// is asked only inside the layer's rectangle. Layers that are pulled apart by [exploded] are hit where they are drawn.
  PlacedLayer? hit(
    double x,
    double y,
    int Function(Layer layer, int x, int y) alphaAt, {
    int threshold = 16,
    double exploded = 0,
  }) {
    for (var index = layers.length - 1; index >= 0; index--) {
      final placed = layers[index];
      final (left, top) = offset(index, exploded);
      final pixel = placed.drawnOpacity > 0 ? placed._pixelAt(x, y, left, top) : null;
      if (pixel != null && alphaAt(placed.layer, pixel.$1, pixel.$2) >= threshold) return placed;
    }
    return null;
  }

  /// By how many pixels of the canvas the layer at [index] is drawn to the right and down of where the server gave it: as a person moved it, and lifted
  /// for a view that is pulled apart by [exploded].
  (double, double) offset(int index, [double exploded = 0]) {
    final placed = layers[index];
    final (right, down) = lift(index, exploded);
    return (placed.dx + right * height, placed.dy + down * height);
  }

  /// The rectangle in which the layer at [index] is drawn, in pixels of the canvas: left, top, width, height; null for an empty layer.
  (double, double, double, double)? drawnRect(int index, [double exploded = 0]) {
    final placed = layers[index];
    final rect = placed.layer.rect;
    if (rect == null) return null;
    final (left, top) = offset(index, exploded);
    final (width, height) = (rect.width * placed.scale, rect.height * placed.scale);
    return (
      rect.x + (rect.width - width) / 2 + left,
      rect.y + (rect.height - height) / 2 + top,
      width,
      height,
    );
  }

  /// How far the layer at [index] is lifted in the exploded view, in parts of the canvas's height: 0 for the bottom, and even
  /// steps up to [amount] for the top.
  (double, double) lift(int index, double amount) {
    if (layers.length < 2) return (0, 0);
    final part = amount * index / (layers.length - 1);
    return (part * 0.5, -part);
  }

  /// What `composite` and `export` make of it: [toJson] with a [background] colour (`#ffffff`) below all, the part of the canvas that [crop] keeps, and for
  /// `composite` alone a [format] (`png`, `webp`, `jpeg`) and the longest side in pixels. What is left out is the server's default.
  Map<String, Object?> recipe({String? background, PixelRect? crop, String? format, int? maxSide}) => {
    ...toJson(),
    if (background != null) 'background': background,
    if (crop != null) 'crop': {'x': crop.x, 'y': crop.y, 'width': crop.width, 'height': crop.height},
    if (format != null) 'format': format,
    if (maxSide != null) 'max_side': maxSide,
  };

  /// To be kept across a restart of the app, and given to [LayerArrangement.restore].
  Map<String, Object?> toJson() => {
    'layers': [
      for (final placed in layers)
        {
          'id': placed.layer.id,
          'dx': placed.dx,
          'dy': placed.dy,
          if (placed.scale != 1) 'scale': placed.scale,
          'opacity': placed.opacity,
          'visible': placed.visible,
        },
    ],
  };
}
