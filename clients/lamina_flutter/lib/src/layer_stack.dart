import 'dart:async';

import 'package:flutter/widgets.dart';
import 'package:lamina_client/lamina_client.dart';

import 'layer_image.dart';
import 'stack_painter.dart';

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
    this.errorBuilder,
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

  /// Shown where the layers could not be fetched; calling the function tries once more. By default the sentence alone.
  final Widget Function(BuildContext context, String sentence, VoidCallback retry)? errorBuilder;

  @override
  State<LayerStack> createState() => _LayerStackState();
}

class _LayerStackState extends State<LayerStack> {
  final Map<String, LayerImage> _images = {};
  late final StackTouch _touch = StackTouch((layer, x, y) => _images[layer.id]?.alphaAt(x, y) ?? 0);
  AbortTrigger _loading = AbortTrigger();
  String? _error;

  @override
  void initState() {
    super.initState();
    unawaited(_load());
  }

  @override
  void didUpdateWidget(LayerStack old) {
    super.didUpdateWidget(old);
    // Moves and fades keep the pictures; another job has others.
    Set<Uri> files(LayerStack of) => {for (final placed in of.arrangement.layers) placed.layer.url};
    if (!files(old).containsAll(files(widget))) unawaited(_load());
  }

  Future<void> _load() async {
    _loading.abort();
    final trigger = _loading = AbortTrigger();
    _free();
    _error = null;
    try {
      for (final placed in widget.arrangement.layers) {
        final image = await LayerImage.load(widget.client, placed.layer, abort: trigger);
        if (trigger.isAborted) return image.dispose();
        setState(() => _images[placed.layer.id] = image);
      }
    } on AbortedException {
      // Another stack is loaded, or none.
    } on Exception catch (error) {
      if (trigger.isAborted) return;
      setState(() => _error = error is LaminaException ? error.message : 'A layer could not be decoded.');
    }
  }

  void _free() {
    for (final image in _images.values) {
      image.dispose();
    }
    _images.clear();
  }

  @override
  void dispose() {
    _loading.abort();
    _free();
    super.dispose();
  }

  @override
  Widget build(BuildContext context) {
    final stack = widget.arrangement;
    if (stack.layers.isEmpty) return const SizedBox.shrink();
    if (_error case final sentence?) {
      return widget.errorBuilder?.call(context, sentence, () => setState(() => unawaited(_load()))) ??
          Text(sentence);
    }
    if (stack.layers.any((placed) => !_images.containsKey(placed.layer.id))) {
      return widget.placeholder ?? const SizedBox.shrink();
    }
    return AspectRatio(
      aspectRatio: stack.width / stack.height,
      child: LayoutBuilder(
        builder: (context, constraints) =>
            _touchable(constraints.biggest, constraints.maxWidth / stack.width),
      ),
    );
  }

  Widget _touchable(Size size, double scale) {
    final movable = widget.onChanged != null;
    return GestureDetector(
      onTapUp: (details) => widget.onSelected?.call(_at(details.localPosition, scale)),
      onPanStart: movable
          ? (details) => widget.onSelected?.call(
              _touch.begin(
                widget.arrangement,
                details.localPosition.dx,
                details.localPosition.dy,
                scale: scale,
                exploded: widget.exploded,
              ),
            )
          : null,
      onPanUpdate: movable
          ? (details) {
              if (_touch.dragged == null) return;
              widget.onChanged!(
                _touch.drag(widget.arrangement, details.delta.dx, details.delta.dy, scale: scale),
              );
            }
          : null,
      onPanEnd: (_) => _touch.end(),
      onPanCancel: _touch.end,
      child: CustomPaint(
        size: size,
        painter: StackPainter(widget.arrangement, Map.of(_images), scale, widget.exploded),
      ),
    );
  }

  PlacedLayer? _at(Offset position, double scale) =>
      _touch.at(widget.arrangement, position.dx, position.dy, scale: scale, exploded: widget.exploded);
}
