/// A double of `package:flutter/material.dart` of Flutter 3.29, as far as the example uses it.
library;

import 'widgets.dart';

export 'widgets.dart';

class Icons {
  static const IconData layers = IconData(1);
  static const IconData share = IconData(2);
  static const IconData photo = IconData(3);
  static const IconData undo = IconData(4);
  static const IconData visibility = IconData(5);
  static const IconData visibility_off = IconData(6);
}

class MaterialApp extends Widget {
  const MaterialApp({super.key, this.title = '', this.restorationScopeId, this.home});
  final String title;
  final String? restorationScopeId;
  final Widget? home;
}

class AppBar extends Widget {
  const AppBar({super.key, this.title, this.actions});
  final Widget? title;
  final List<Widget>? actions;
}

class Scaffold extends Widget {
  const Scaffold({super.key, this.appBar, this.body, this.floatingActionButton});
  final AppBar? appBar;
  final Widget? body;
  final Widget? floatingActionButton;
}

class IconButton extends Widget {
  const IconButton({super.key, required this.onPressed, required this.icon, this.tooltip});
  final VoidCallback? onPressed;
  final Widget icon;
  final String? tooltip;
}

class TextButton extends Widget {
  const TextButton({super.key, required this.onPressed, required Widget this.child});
  final VoidCallback? onPressed;
  final Widget? child;
}

class FilledButton extends Widget {
  const FilledButton({super.key, required this.onPressed, required this.child});
  final VoidCallback? onPressed;
  final Widget? child;
}

class FloatingActionButton extends Widget {
  const FloatingActionButton.extended({super.key, required this.onPressed, this.icon, required this.label});
  final VoidCallback? onPressed;
  final Widget? icon;
  final Widget label;
}

class LinearProgressIndicator extends Widget {
  const LinearProgressIndicator({super.key, this.value});
  final double? value;
}

class CircularProgressIndicator extends Widget {
  const CircularProgressIndicator({super.key, this.value});
  final double? value;
}

class Slider extends Widget {
  const Slider({super.key, required this.value, required this.onChanged});
  final double value;
  final ValueChanged<double>? onChanged;
}

class SnackBar extends Widget {
  const SnackBar({super.key, required this.content});
  final Widget content;
}

class ScaffoldMessengerState {
  void showSnackBar(SnackBar snackBar) {}
}

class ScaffoldMessenger extends Widget {
  const ScaffoldMessenger({super.key, required this.child});
  final Widget child;
  static ScaffoldMessengerState of(BuildContext context) => ScaffoldMessengerState();
}
