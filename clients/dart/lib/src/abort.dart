/// Ends calls from outside: give it to a call, and [abort] ends the call with an `AbortedException`.
///
/// One trigger may be given to several calls, and is used once.
final class AbortTrigger {
  final Set<void Function()> _listeners = {};
  bool _aborted = false;

  /// Whether [abort] was called.
  bool get isAborted => _aborted;

  /// Ends every call that was given this trigger. Calling it again changes nothing.
  void abort() {
    if (_aborted) return;
    _aborted = true;
    final listeners = [..._listeners];
    _listeners.clear();
    for (final listener in listeners) {
      listener();
    }
  }

  /// Calls [listener] once at [abort], or at once if that is past. The function that is returned takes it back, so
  /// that a trigger that lives long holds nothing of calls that are over.
  void Function() listen(void Function() listener) {
    if (_aborted) {
      listener();
      return () {};
    }
    // A closure of its own, so that one function may be registered twice.
    void entry() => listener();
    _listeners.add(entry);
    return () => _listeners.remove(entry);
  }
}
