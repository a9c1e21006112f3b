/// A double of `package:flutter/foundation.dart` of Flutter 3.29, as far as it is used here.
library;

export 'ui.dart' show VoidCallback;

typedef ValueChanged<T> = void Function(T value);

abstract class Listenable {
  const Listenable();
  void addListener(void Function() listener);
  void removeListener(void Function() listener);
}

mixin class ChangeNotifier implements Listenable {
  final List<void Function()> _listeners = [];
  bool _disposed = false;

  void _alive() {
    if (_disposed) throw StateError('A $runtimeType was used after being disposed.');
  }

  @override
  void addListener(void Function() listener) {
    _alive();
    _listeners.add(listener);
  }

  @override
  void removeListener(void Function() listener) => _listeners.remove(listener);

  void notifyListeners() {
    _alive();
    for (final listener in [..._listeners]) {
      listener();
    }
  }

  void dispose() {
    _alive();
    _disposed = true;
    _listeners.clear();
  }
}

abstract class Key {
  const factory Key(String value) = ValueKey<String>;
}

class ValueKey<T> implements Key {
  const ValueKey(this.value);
  final T value;
}
