import 'dart:async';
import 'dart:convert';
import 'dart:math';

import 'abort.dart';
import 'answer.dart';
import 'call.dart';
import 'caller.dart';
import 'endpoints.dart';
import 'exceptions.dart';
import 'job.dart';
import 'reading.dart';
import 'sse.dart';
import 'timing.dart';

/// What was learnt about a server: it is asked for a feature that it does not have only once per client.
final class ServerFeatures {
  /// Whether `GET /api/jobs/{id}/events` is worth asking for.
  bool events = true;

  /// Event streams in a row that could not be opened, broke or fell silent without one event.
  int eventFailures = 0;

  /// After so many a proxy is taken to hold events back, and the job is polled.
  static const mostEventFailures = 3;

  /// Whether `?wait=` is worth asking for.
  bool longPoll = true;

  /// Whether an answer showed that `?wait=` is understood.
  bool longPollSeen = false;
}

/// Follows one job to its end.
///
/// The job itself is the truth, and is read by `GET`; events are hints that make it read sooner. So an event that is lost, late,
/// repeated or of an unknown kind does no harm, and no end is missed: whatever happened while the app slept, the next reading shows.
final class JobWatch {
  /// Follows the job [_id].
  JobWatch(this._caller, this._endpoints, this._features, this._id, this._onEnd, this._abort) {
    _out
      ..onListen = _run
      ..onResume = _flush
      ..onCancel = _finish;
  }

  final Caller _caller;
  final Endpoints _endpoints;
  final ServerFeatures _features;
  final String _id;
  final void Function(JobWatch) _onEnd;
  final AbortTrigger? _abort;

  final StreamController<Job> _out = StreamController();
  Job? _last;
  Job? _held;
  String? _etag;
  String? _lastEventId;
  Duration? _retryAfter;
  bool _over = false;
  int _polls = 0;

  /// The last stream of events failed, so the job is read before the next one is tried: what holds events back may let answers through.
  bool _readFirst = false;

  /// Ends what is being waited for: one trigger for each turn of the loop.
  AbortTrigger _turn = AbortTrigger();
  bool _woken = false;

  /// A long poll asks for this many seconds: below the idle limit of most proxies (60 s), and of NAT on phones.
  static const _waitSeconds = 25;

  /// An answer that comes sooner than this was not waited for.
  static const _instant = Duration(seconds: 1);

  /// Polling without the server's advice begins here and slows down to [_pollLongest].
  static const _pollFirst = Duration(milliseconds: 500);
  static const _pollLongest = Duration(seconds: 5);

  /// Two readings are never closer than this.
  static const _pollGap = Duration(milliseconds: 150);

  /// The server sends a comment every 15 s; a stream that is silent for three of them (by default) is dead, and the phone does not
  /// know.
  Duration get _eventSilence => _caller.timeouts.idle * 1.5;

  /// The job each time that it changed, then the end of the stream.
  Stream<Job> get stream => _out.stream;

  /// Reads the job now: the app is back, or the network is.
  void wake() {
    if (_over) return;
    _woken = true;
    _turn.abort();
  }

  Future<void> _run() async {
    final stop = [
      _caller.closed.listen(_endedByApp),
      if (_abort case final trigger?) trigger.listen(_endedByApp),
    ];
    var failures = 0;
    var waited = Duration.zero;
    while (!_over) {
      _turn = AbortTrigger();
      _woken = false;
      try {
        await _turnOnce();
        failures = 0;
        waited = Duration.zero;
      } on AbortedException {
        if (!_woken) break;
        failures = 0;
        waited = Duration.zero;
      } on LaminaException catch (error, trace) {
        if (!_mayGoOn(error) || waited > _caller.timeouts.patience) {
          if (!_over) _out.addError(error, trace);
          break;
        }
        failures++;
        final wait = switch (error.retryAfter) {
          null => _caller.retries.backoff(failures, _caller.random),
          final asked => RetryPolicy.atLeast(asked, _caller.random),
        };
        waited += wait + (error is LaminaTimeoutException ? _caller.timeouts.answer : Duration.zero);
        await _pause(wait);
      } on Object catch (error, trace) {
        // A defect of the client or of a transport; it ends the watch and is told.
        if (!_over) _out.addError(error, trace);
        break;
      }
    }
    for (final remove in stop) {
      remove();
    }
    _finish();
  }

  void _endedByApp() {
    if (!_over) _out.addError(const AbortedException());
    _finish();
  }

  void _finish() {
    if (_over && _out.isClosed) return;
    _over = true;
    _turn.abort();
    _onEnd(this);
    _flush();
    _out.close();
  }

  /// One reading, and the wait after it; or a stream of events for as long as it lasts.
  Future<void> _turnOnce() async {
    if (_features.events && !_readFirst && await _countedEvents()) return;
    if (_over) return;
    final asked = Stopwatch()..start();
    final wait = _features.longPoll && _etag != null;
    final bool changed;
    try {
      changed = await _read(wait: wait);
    } on InvalidRequestException {
      // A server that knows no `wait` and says so. Without it the same refusal would be another matter.
      if (!wait) rethrow;
      _features.longPoll = false;
      return;
    }
    if (_over) return;
    _readFirst = false;
    if (wait && asked.elapsed > _instant) _features.longPollSeen = true;
    if (wait && !changed && asked.elapsed < _instant && !_features.longPollSeen) _features.longPoll = false;
    // Whether the server waits is found out at once, and not after the first Retry-After.
    final next = _features.longPoll && _etag != null && (_features.longPollSeen || !wait);
    await _pause(next ? _pollGap : _pollDelay(changed));
  }

  Duration _pollDelay(bool changed) {
    if (_retryAfter case final asked?) return RetryPolicy.atLeast(asked, _caller.random);
    _polls = changed ? 0 : _polls + 1;
    final slower = _pollFirst * pow(1.5, min(_polls, 8));
    return slower < _pollLongest ? slower : _pollLongest;
  }

  Future<void> _pause(Duration time) async {
    try {
      await _caller.sleep(time, _turn);
    } on AbortedException {
      // Woken, or over: the loop looks.
    }
  }

  /// Reads the job; true if it is another than before.
  Future<bool> _read({bool wait = false}) => _caller.run(
    Call(
      'GET',
      _endpoints.job(_id, wait ? const {'wait': '$_waitSeconds'} : null),
      headers: {if (_etag != null) 'if-none-match': _etag!},
      extraWait: wait ? const Duration(seconds: _waitSeconds) : Duration.zero,
      abort: _turn,
    ),
    (answer) async {
      _retryAfter = answer.retryAfter;
      if (answer.status == 304) {
        await answer.discard();
        return false;
      }
      final job = Job.fromJson(await answer.json());
      _etag = answer.headers['etag'];
      return _take(job);
    },
    policy: RetryPolicy.none,
  );

  Future<bool> _countedEvents() async {
    try {
      return await _events();
    } on ProblemException {
      rethrow;
    } on AbortedException {
      rethrow;
    } on LaminaException {
      _readFirst = true;
      _features.eventFailures++;
      if (_features.eventFailures >= ServerFeatures.mostEventFailures) _features.events = false;
      rethrow;
    }
  }

  /// Follows the events; false if the server has none. It ends with an exception when the stream breaks.
  Future<bool> _events() async {
    final Answer answer;
    try {
      answer = await _caller.once(
        Call(
          'GET',
          _endpoints.events(_id),
          headers: {
            'accept': 'text/event-stream',
            'cache-control': 'no-store',
            if (_lastEventId != null) 'last-event-id': _lastEventId!,
          },
          extraWait: _eventSilence - _caller.timeouts.idle,
          abort: _turn,
        ),
      );
    } on ProblemException catch (error) {
      // Too many streams are open: this turn is a reading.
      if (error.status == 429 || error.status == 503) return false;
      if (!isUnknownRoute(error)) rethrow;
      _features.events = false;
      return false;
    }
    final type = answer.headers['content-type'] ?? '';
    if (answer.status != 200 || !type.startsWith('text/event-stream')) {
      await answer.discard();
      _features.events = false;
      return false;
    }
    // The job is read after the stream was opened, so nothing falls between the two.
    final events = StreamIterator(EventStreamDecoder().bind(answer.body));
    try {
      await _read();
      while (!_over && await events.moveNext()) {
        _features.eventFailures = 0;
        _lastEventId = events.current.id.isEmpty ? _lastEventId : events.current.id;
        await _event(events.current);
      }
    } on FormatException {
      throw const MalformedAnswerException('The event stream is none.');
    } finally {
      events.cancel().ignore();
    }
    if (!_over) {
      // A server that stops ends its streams, and so do proxies after a time. That is no failure; but a server that ends
      // each at once is not to be asked in a tight circle.
      await _pause(_pollFirst);
    }
    return true;
  }

  /// Takes a job that the event holds; reads it when the event holds none, or says that this is the end.
  Future<void> _event(ServerEvent event) async {
    Job? job;
    try {
      final data = json.decode(event.data);
      if (data case {'job_id': final String id, 'status': String()} when id == _id) {
        job = Job.fromJson(asObject(data));
      }
    } on FormatException {
      // A hint all the same.
    } on MalformedAnswerException {
      // A part of a job.
    }
    if (job == null) {
      await _read();
    } else {
      _take(job);
    }
  }

  /// Shows [job], unless it is older than what was shown; true if it is news.
  bool _take(Job job) {
    final last = _last;
    if (_over || last != null && !_follows(last, job)) return false;
    _last = job;
    if (_out.isPaused) {
      _held = job;
    } else {
      _out.add(job);
    }
    if (job.status.isFinal) _over = true;
    return true;
  }

  static bool _follows(Job before, Job after) {
    if (after.status != before.status) return after.status.index > before.status.index;
    return after.progress > before.progress ||
        after.progress == before.progress &&
            (after.queuePosition != before.queuePosition || after.eta != before.eta);
  }

  /// While nobody listens only the newest job is held.
  void _flush() {
    final held = _held;
    _held = null;
    if (held != null && !_out.isClosed) _out.add(held);
  }

  /// Whether a watch outlives [error]: a bad line does not end it, and neither does another's page in place of the answer,
  /// such as a captive portal's or a proxy's while the server is deployed anew.
  static bool _mayGoOn(LaminaException error) => switch (error) {
    ConnectionException() ||
    LaminaTimeoutException() ||
    MalformedAnswerException() ||
    TokenException() => true,
    ServerException() => error.canRetry || error.code.isEmpty,
    LimitReachedException() => true,
    ProblemException(code: '', :final status) => status != 401 && status != 403,
    _ => false,
  };
}
