import 'dart:async';

import 'package:flutter/widgets.dart';
import 'package:lamina_client/lamina_client.dart';

import 'layer_image.dart';

/// Draws a stack of layers, and lets people touch it: a tap chooses the layer under the finger by its alpha, a drag moves it.
///
/// The [arrangement] is the caller's, so undo, lists and saving are too; the widget tells what a person wants by [onChanged].
class LayerStack extends StatefulWidget {
  /// A stack of [arrangement], fetched by [client].
  const LayerStack({
    required this.client,
    required this.arrangement,
    this.onChanged,
    this.onSelected,
    this.exploded = 0,
    this.placeholder,
    super.key,
  });

  /// Fetches the layers.
  final LaminaClient client;

  /// What is drawn.
  final LayerArrangement arrangement;

  /// A person moved a layer; null makes the stack one that is only looked at.
  final ValueChanged<LayerArrangement>? onChanged;

  /// A person touched a layer, or none.
  final ValueChanged<PlacedLayer?>? onSelected;

  /// How far the stack is pulled apart: 0 not at all, 1 by the picture's height. Animate it for an exploded view.
  final double exploded;

  /// Shown until all layers are there.
  final Widget? placeholder;

  @override
  State<LayerStack> createState() => _LayerStackState();
}

class _LayerStackState extends State<LayerStack> {
  final Map<String, LayerImage> _images = {};
  int _loads = 0;
  String? _dragged;
  LaminaException? _error;

  @override
  void initState() {
    super.initState();
    unawaited(_load());
  }

  @override
  void didUpdateWidget(LayerStack old) {
    super.didUpdateWidget(old);
    final before = {for (final placed in old.arrangement.layers) placed.layer.url};
    final now = {for (final placed in widget.arrangement.layers) placed.layer.url};
    if (!before.containsAll(now)) unawaited(_load());
  }

  Future<void> _load() async {
    final load = ++_loads;
    _dispose();
    try {
      for (final placed in widget.arrangement.layers) {
        final image = await LayerImage.load(widget.client, placed.layer);
        if (!mounted || load != _loads) return image.dispose();
        setState(() => _images[placed.layer.id] = image);
      }
    } on LaminaException catch (error) {
      if (mounted && load == _loads) setState(() => _error = error);
    }
  }

  void _dispose() {
    for (final image in _images.values) {
      image.dispose();
    }
    _images.clear();
  }

  @override
  void dispose() {
    _loads++;
    _dispose();
    super.dispose();
  }

  @override
  Widget build(BuildContext context) {
    final layers = widget.arrangement.layers;
    if (layers.isEmpty) return const SizedBox.shrink();
    if (_error case final error?) return Text(error.message);
    if (_images.length < layers.length) return widget.placeholder ?? const SizedBox.shrink();
    final canvas = Size(layers.first.layer.width.toDouble(), layers.first.layer.height.toDouble());
    return AspectRatio(
      aspectRatio: canvas.width / canvas.height,
      child: LayoutBuilder(
        builder: (context, constraints) {
          final scale = constraints.maxWidth / canvas.width;
          return GestureDetector(
            onTapUp: (details) => widget.onSelected?.call(_at(details.localPosition, scale)),
            onPanStart: widget.onChanged == null
                ? null
                : (details) {
                    final hit = _at(details.localPosition, scale);
                    _dragged = hit?.layer.id;
                    widget.onSelected?.call(hit);
                  },
            onPanUpdate: widget.onChanged == null
                ? null
                : (details) {
                    final id = _dragged;
                    if (id == null) return;
                    widget.onChanged!(
                      widget.arrangement.move(id, details.delta.dx / scale, details.delta.dy / scale),
                    );
                  },
            onPanEnd: (_) => _dragged = null,
            child: CustomPaint(
              size: constraints.biggest,
              painter: _StackPainter(widget.arrangement, Map.of(_images), scale, widget.exploded),
            ),
          );
        },
      ),
    );
  }

  /// The layer under a finger. A stack that is pulled apart is looked at, and not touched.
  PlacedLayer? _at(Offset position, double scale) => widget.exploded > 0
      ? null
      : widget.arrangement.hit(
          position.dx / scale,
          position.dy / scale,
          (layer, x, y) => _images[layer.id]?.alphaAt(layer, x, y) ?? 0,
        );
}

class _StackPainter extends CustomPainter {
  _StackPainter(this.arrangement, this.images, this.scale, this.exploded);

  final LayerArrangement arrangement;
  final Map<String, LayerImage> images;
  final double scale;
  final double exploded;

  @override
  void paint(Canvas canvas, Size size) {
    canvas.scale(scale);
    final height = size.height / scale;
    for (final (index, placed) in arrangement.layers.indexed) {
      final rect = placed.layer.rect;
      final image = images[placed.layer.id]?.image;
      if (rect == null || image == null || placed.drawnOpacity == 0) continue;
      final (right, down) = arrangement.lift(index, exploded);
      canvas.drawImage(
        image,
        Offset(rect.x + placed.dx + right * height, rect.y + placed.dy + down * height),
        Paint()
          ..filterQuality = FilterQuality.medium
          ..color = Color.fromRGBO(0, 0, 0, placed.drawnOpacity),
      );
    }
  }

  @override
  bool shouldRepaint(_StackPainter old) =>
      old.arrangement != arrangement ||
      old.scale != scale ||
      old.exploded != exploded ||
      old.images.length != images.length;
}
