import 'dart:async';

import 'job.dart';

/// Shows one job as it moves: never backwards, nothing twice, and its end once. While nobody listens only the newest is held.
final class JobOutlet {
  /// Calls [onListen] when somebody listens, and [onCancel] when nobody does any more.
  JobOutlet({required void Function() onListen, required void Function() onCancel}) {
    _out
      ..onListen = onListen
      ..onResume = _flush
      ..onCancel = onCancel;
  }

  final StreamController<Job> _out = StreamController();
  Job? _last;
  Job? _held;

  /// What is shown.
  Stream<Job> get stream => _out.stream;

  /// Whether [close] was called.
  bool get isClosed => _out.isClosed;

  /// Shows [job], unless it is older than what was shown; true if it is news.
  bool show(Job job) {
    final last = _last;
    if (last != null && !_follows(last, job)) return false;
    _last = job;
    if (_out.isPaused) {
      _held = job;
    } else {
      _out.add(job);
    }
    return true;
  }

  /// Shows an error.
  void fail(Object error, [StackTrace? trace]) => _out.addError(error, trace);

  /// Nothing more comes.
  void close() {
    _flush();
    _out.close();
  }

  static bool _follows(Job before, Job after) {
    if (after.status != before.status) return after.status.index > before.status.index;
    return after.progress > before.progress ||
        after.progress == before.progress &&
            (after.queuePosition != before.queuePosition || after.eta != before.eta);
  }

  void _flush() {
    final held = _held;
    _held = null;
    if (held != null && !_out.isClosed) _out.add(held);
  }
}
