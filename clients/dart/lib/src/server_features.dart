/// What was learnt about a server and the line to it, so that a feature which does not work is not tried by each watch again.
final class ServerFeatures {
  /// At most [mostWaiting] event streams and waiting reads are open at once; further watches read and do not wait.
  ServerFeatures(this.mostWaiting);

  /// Browsers keep no more than six connections to a host over HTTP/1, and each that waits takes one for as long as it lasts.
  static const usual = bool.fromEnvironment('dart.library.js_interop') ? 3 : 32;

  /// Event streams and waiting reads at once.
  final int mostWaiting;

  /// Event streams and waiting reads that are open.
  int waiting = 0;

  bool _hasEvents = true;
  int _eventFailures = 0;

  /// Whether `?wait=` is worth asking for.
  bool longPoll = true;

  /// Whether an answer showed that `?wait=` is understood.
  bool longPollSeen = false;

  /// After so many streams in a row that told nothing a proxy is taken to hold events back.
  static const _mostEventFailures = 3;

  /// Whether one more may wait.
  bool get mayWait => waiting < mostWaiting;

  /// Whether `GET /api/jobs/{id}/events` is worth asking for.
  bool get events => _hasEvents && _eventFailures < _mostEventFailures;

  /// The server has no such route.
  void noEvents() => _hasEvents = false;

  /// A stream could not be opened, broke or fell silent without one event.
  void eventsFailed() => _eventFailures++;

  /// An event came through.
  void eventsWork() => _eventFailures = 0;

  /// The line may be another one, such as after the app slept: what was between may be gone.
  void lineChanged() {
    _eventFailures = 0;
    _hasEvents = true;
  }
}
