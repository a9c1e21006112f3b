/// A double of `package:flutter/widgets.dart` of Flutter 3.29, as far as `lamina_flutter` and its example use it. Widgets hold what they were given;
/// [mount] builds one and keeps its state, and nothing is laid out or drawn.
library;

import 'dart:async';

import 'foundation.dart';
import 'ui.dart';

export 'foundation.dart';
export 'ui.dart' show Canvas, Color, FilterQuality, Offset, Paint, Rect, Size;

class BuildContext {}

abstract class Widget {
  const Widget({this.key});
  final Key? key;
}

abstract class StatelessWidget extends Widget {
  const StatelessWidget({super.key});
  Widget build(BuildContext context);
}

abstract class StatefulWidget extends Widget {
  const StatefulWidget({super.key});
  State createState();
}

abstract class State<T extends StatefulWidget> {
  T? _widget;
  Mounted? _mounted;

  T get widget => _widget!;
  bool get mounted => _mounted != null;
  BuildContext get context => _mounted!.context;

  void initState() {}
  void didUpdateWidget(covariant T oldWidget) {}
  Widget build(BuildContext context);
  void dispose() {}

  void setState(VoidCallback fn) {
    if (!mounted) throw StateError('setState() called after dispose()');
    final Object? result = (fn as dynamic)();
    if (result is Future) throw StateError('setState() callback argument returned a Future.');
    _mounted!.rebuild();
  }
}

/// A widget with its state, for tests.
final class Mounted {
  Mounted._(this.widget) {
    if (widget case final StatefulWidget stateful) {
      state = stateful.createState()
        .._widget = stateful
        .._mounted = this;
      state!.initState();
    }
    rebuild();
  }

  StatefulWidget? get _stateful => widget is StatefulWidget ? widget as StatefulWidget : null;

  Widget widget;
  State? state;
  final BuildContext context = BuildContext();

  /// What it was built to, as far as it goes without children's own state.
  late Widget built;

  /// How often it was built.
  int builds = 0;

  void rebuild() {
    builds++;
    built = state?.build(context) ?? (widget as StatelessWidget).build(context);
  }

  void update(Widget next) {
    final old = _stateful!;
    widget = next;
    state!._widget = _stateful;
    state!.didUpdateWidget(old);
    rebuild();
  }

  void unmount() {
    state?.dispose();
    state?._mounted = null;
  }
}

/// Builds [widget].
Mounted mount(Widget widget) => Mounted._(widget);

class SizedBox extends Widget {
  const SizedBox({super.key, this.width, this.height, this.child});
  const SizedBox.shrink({super.key, this.child}) : width = 0, height = 0;
  final double? width;
  final double? height;
  final Widget? child;
}

class Text extends Widget {
  const Text(this.data, {super.key, this.textAlign});
  final String data;
  final TextAlign? textAlign;
}

enum TextAlign { left, right, center, justify, start, end }

class AspectRatio extends Widget {
  const AspectRatio({super.key, required this.aspectRatio, this.child});
  final double aspectRatio;
  final Widget? child;
}

class BoxConstraints {
  const BoxConstraints({this.maxWidth = double.infinity, this.maxHeight = double.infinity});
  final double maxWidth;
  final double maxHeight;
  Size get biggest => Size(maxWidth, maxHeight);
}

class LayoutBuilder extends Widget {
  const LayoutBuilder({super.key, required this.builder});
  final Widget Function(BuildContext context, BoxConstraints constraints) builder;
}

class TapUpDetails {
  TapUpDetails({required this.localPosition});
  final Offset localPosition;
}

class DragStartDetails {
  DragStartDetails({required this.localPosition});
  final Offset localPosition;
}

class DragUpdateDetails {
  DragUpdateDetails({required this.delta});
  final Offset delta;
}

class DragEndDetails {}

class GestureDetector extends Widget {
  const GestureDetector({
    super.key,
    this.child,
    this.onTapUp,
    this.onPanStart,
    this.onPanUpdate,
    this.onPanEnd,
    this.onPanCancel,
  });
  final Widget? child;
  final void Function(TapUpDetails details)? onTapUp;
  final void Function(DragStartDetails details)? onPanStart;
  final void Function(DragUpdateDetails details)? onPanUpdate;
  final void Function(DragEndDetails details)? onPanEnd;
  final void Function()? onPanCancel;
}

abstract class CustomPainter extends Listenable {
  const CustomPainter();
  void paint(Canvas canvas, Size size);
  bool shouldRepaint(covariant CustomPainter oldDelegate);

  @override
  void addListener(VoidCallback listener) {}
  @override
  void removeListener(VoidCallback listener) {}
}

class CustomPaint extends Widget {
  const CustomPaint({super.key, this.painter, this.size = const Size(0, 0), this.child});
  final CustomPainter? painter;
  final Size size;
  final Widget? child;
}

class Center extends Widget {
  const Center({super.key, this.child});
  final Widget? child;
}

class EdgeInsets {
  const EdgeInsets.all(double value);
}

class Padding extends Widget {
  const Padding({super.key, required this.padding, this.child});
  final EdgeInsets padding;
  final Widget? child;
}

enum MainAxisSize { min, max }

class Column extends Widget {
  const Column({super.key, this.mainAxisSize = MainAxisSize.max, this.children = const []});
  final MainAxisSize mainAxisSize;
  final List<Widget> children;
}

class Expanded extends Widget {
  const Expanded({super.key, required this.child});
  final Widget child;
}

class IconData {
  const IconData(this.codePoint);
  final int codePoint;
}

class Icon extends Widget {
  const Icon(this.icon, {super.key});
  final IconData? icon;
}

class Tween<T extends Object?> {
  Tween({this.begin, this.end});
  T? begin;
  T? end;
}

class TweenAnimationBuilder<T extends Object?> extends Widget {
  const TweenAnimationBuilder({
    super.key,
    required this.tween,
    required this.duration,
    required this.builder,
    this.child,
  });
  final Tween<T> tween;
  final Duration duration;
  final Widget Function(BuildContext context, T value, Widget? child) builder;
  final Widget? child;
}

class ListenableBuilder extends Widget {
  const ListenableBuilder({super.key, required this.listenable, required this.builder, this.child});
  final Listenable listenable;
  final Widget Function(BuildContext context, Widget? child) builder;
  final Widget? child;
}

class AppLifecycleListener {
  AppLifecycleListener({this.onResume}) {
    all.add(this);
  }

  /// Those that were not disposed of, for tests.
  static final List<AppLifecycleListener> all = [];

  final VoidCallback? onResume;

  void dispose() {
    if (!all.remove(this)) throw StateError('An AppLifecycleListener was disposed of before.');
  }
}

class RestorationBucket {}

abstract class RestorableProperty<T> extends ChangeNotifier {
  T createDefaultValue();
  T fromPrimitives(Object? data);
  void initWithValue(T value);
  Object? toPrimitives();
  bool get enabled => true;
}

abstract class RestorableListenable<T extends Listenable> extends RestorableProperty<T> {
  T? _value;
  T get value => _value!;

  @override
  void initWithValue(T value) {
    _value?.removeListener(notifyListeners);
    _value = value;
    value.addListener(notifyListeners);
  }

  @override
  void dispose() {
    super.dispose();
    _value?.removeListener(notifyListeners);
  }
}

abstract class RestorableChangeNotifier<T extends ChangeNotifier> extends RestorableListenable<T> {
  @override
  void initWithValue(T value) {
    _free();
    super.initWithValue(value);
  }

  @override
  void dispose() {
    _free();
    super.dispose();
  }

  void _free() {
    final value = _value;
    if (value != null) scheduleMicrotask(value.dispose);
  }
}

mixin RestorationMixin<S extends StatefulWidget> on State<S> {
  String? get restorationId;
  void restoreState(RestorationBucket? oldBucket, bool initialRestore);
  void registerForRestoration(RestorableProperty<Object?> property, String restorationId) {}
}

void runApp(Widget app) {}
