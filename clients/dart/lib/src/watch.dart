import 'dart:async';
import 'dart:convert';
import 'dart:math';

import 'abort.dart';
import 'answer.dart';
import 'call.dart';
import 'caller.dart';
import 'codes.dart';
import 'endpoints.dart';
import 'exceptions.dart';
import 'job.dart';
import 'job_outlet.dart';
import 'reading.dart';
import 'server_features.dart';
import 'sse.dart';
import 'timing.dart';

/// What looks at once when the app is back.
abstract interface class Wakeable {
  /// Looks now: the app is back, or the network is.
  void wake();
}

/// Follows one job to its end.
///
/// The job itself is the truth, and is read by `GET`; events are hints that make it read sooner. So an event that is lost, late,
/// repeated or of an unknown kind does no harm, and no end is missed: whatever happened while the app slept, the next reading shows.
final class JobWatch implements Wakeable {
  /// Follows the job [_id].
  JobWatch(this._caller, this._endpoints, this._features, this._id, this._onEnd, this._abort);

  final Caller _caller;
  final Endpoints _endpoints;
  final ServerFeatures _features;
  final String _id;
  final void Function(JobWatch) _onEnd;
  final AbortTrigger? _abort;

  late final JobOutlet _out = JobOutlet(onListen: _run, onCancel: _finish);
  String? _etag;
  String? _lastEventId;
  Duration? _retryAfter;
  bool _over = false;
  int _polls = 0;

  /// The stream of events said something that only lamina says: then nothing holds events back, however it ends.
  bool _streamTold = false;

  /// The last stream of events failed, so the job is read before the next one is tried: what holds events back may let answers through.
  bool _readFirst = false;

  /// The server has no place for one more who waits, so the next readings do not wait: then it may have one again.
  int _readingsWithoutWait = 0;

  /// How many readings that is.
  static const _fullFor = 5;

  /// How long the server wants to be left alone before it is connected to again.
  Duration? _reconnectAfter;

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

  /// A server that asks for a longer rest before a new stream is not heard: the end of the job may be there.
  static const _reconnectLongest = Duration(seconds: 30);

  /// Two readings are never closer than this.
  static const _pollGap = Duration(milliseconds: 150);

  /// The server sends a comment every 15 s; a stream that is silent for three of them (by default) is dead, and the phone does not
  /// know.
  Duration get _eventSilence => _caller.timeouts.idle * 1.5;

  /// The server begins a stream at once, and says something at once. Where neither comes, something between holds it back.
  Duration get _eventsBegin => _caller.timeouts.idle ~/ 3;

  /// The job each time that it changed, then the end of the stream.
  Stream<Job> get stream => _out.stream;

  @override
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
        if (!mayGoOn(error) || waited > _caller.timeouts.patience) {
          if (!_over) _out.fail(error, trace);
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
        if (!_over) _out.fail(error, trace);
        break;
      }
    }
    for (final remove in stop) {
      remove();
    }
    _finish();
  }

  void _endedByApp() {
    if (!_over) _out.fail(const AbortedException());
    _finish();
  }

  void _finish() {
    if (_over && _out.isClosed) return;
    _over = true;
    _turn.abort();
    _onEnd(this);
    _out.close();
  }

  /// One reading, and the wait after it; or a stream of events for as long as it lasts.
  Future<void> _turnOnce() async {
    if (_mayStream && await _countedEvents()) return;
    if (_over) return;
    final asked = Stopwatch()..start();
    final wait = _features.longPoll && _etag != null && _readingsWithoutWait == 0 && _features.mayWait;
    final bool changed;
    if (wait) _features.waiting++;
    try {
      changed = await _read(wait: wait);
    } on InvalidRequestException {
      // A server that knows no `wait` and says so. Without it the same refusal would be another matter.
      if (!wait) rethrow;
      _features.longPoll = false;
      return;
    } on ProblemException catch (error) {
      if (!wait || !_isFull(error)) rethrow;
      _readingsWithoutWait = _fullFor;
      return;
    } finally {
      if (wait) _features.waiting--;
    }
    if (_over) return;
    _readFirst = false;
    final full = _readingsWithoutWait > 0 || !_features.mayWait;
    if (_readingsWithoutWait > 0) _readingsWithoutWait--;
    if (wait && asked.elapsed > _instant) _features.longPollSeen = true;
    if (wait && !changed && asked.elapsed < _instant && !_features.longPollSeen) _features.longPoll = false;
    // Whether the server waits is found out at once, and not after the first Retry-After.
    final next = !full && _features.longPoll && _etag != null && (_features.longPollSeen || !wait);
    await _pause(next ? _pollGap : _pollDelay(changed));
  }

  bool get _mayStream => _features.events && !_readFirst && _readingsWithoutWait == 0 && _features.mayWait;

  /// Whether the server has no place for a further stream or waiting read. A plain one it answers all the same.
  static bool _isFull(ProblemException error) =>
      error.code == ProblemCode.tooManyEventStreams || error.code == ProblemCode.eventStreamsExhausted;

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
    _features.waiting++;
    try {
      return await _events();
    } on ProblemException {
      rethrow;
    } on AbortedException {
      rethrow;
    } on LaminaException {
      // The line broke, or never let the stream through.
      _readFirst = true;
      if (!_streamTold) _features.eventsFailed();
      rethrow;
    } finally {
      _features.waiting--;
    }
  }

  /// Follows the events; false if the server has none. It ends with an exception when the stream breaks.
  Future<bool> _events() async {
    _streamTold = false;
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
          answerWithin: _eventsBegin,
          firstWithin: _eventsBegin,
          extraWait: _eventSilence - _caller.timeouts.idle,
          abort: _turn,
        ),
      );
    } on ProblemException catch (error) {
      _refused(error);
      return false;
    }
    // It has ended, and the last event was told: only a reading is left.
    if (answer.status == 204) {
      await answer.discard();
      _lastEventId = null;
      return false;
    }
    final type = answer.headers['content-type'] ?? '';
    if (answer.status != 200 || !type.startsWith('text/event-stream')) {
      await answer.discard();
      _features.noEvents();
      return false;
    }
    // The job is read after the stream was opened, so nothing falls between the two.
    final decoder = EventStreamDecoder();
    final events = StreamIterator(decoder.bind(answer.body));
    try {
      await _read();
      while (!_over && await events.moveNext()) {
        _lastEventId = events.current.id.isEmpty ? _lastEventId : events.current.id;
        await _event(events.current);
      }
    } on FormatException {
      throw const MalformedAnswerException('The event stream is none.');
    } finally {
      events.cancel().ignore();
      _reconnectAfter = decoder.retry ?? _reconnectAfter;
      if (decoder.retry != null) _streamIsGood();
    }
    if (!_over) {
      if (!_streamTold) {
        _readFirst = true;
        _features.eventsFailed();
      }
      // A server that stops ends its streams, and so do proxies after a time. That is no failure; but a server that ends
      // each at once is not to be asked in a tight circle.
      await _pause(_betweenStreams);
    }
    return true;
  }

  void _streamIsGood() {
    _streamTold = true;
    _features.eventsWork();
  }

  /// No stream for [error]. It may be a proxy's word and not the server's, so only the next reading decides about the job.
  void _refused(ProblemException error) {
    if (_isFull(error)) {
      _readingsWithoutWait = _fullFor;
    } else if (isUnknownRoute(error)) {
      _features.noEvents();
    } else if (error is LimitReachedException) {
      // The reading would count against the same limit.
      throw error;
    } else {
      _readFirst = true;
      if (error.code.isEmpty || error.status >= 500) _features.eventsFailed();
    }
  }

  Duration get _betweenStreams {
    final asked = _reconnectAfter ?? _pollFirst;
    if (asked < _pollGap) return _pollGap;
    return asked < _reconnectLongest ? asked : _reconnectLongest;
  }

  /// Takes a job that the event holds; reads it when the event holds none, or says that this is the end.
  Future<void> _event(ServerEvent event) async {
    Job? job;
    try {
      final data = json.decode(event.data);
      if (data case {'job_id': final String id} when id == _id) {
        _streamIsGood();
        if (data case {'status': String()}) job = Job.fromJson(asObject(data));
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

  bool _take(Job job) {
    if (_over || !_out.show(job)) return false;
    _over = job.status.isFinal;
    return true;
  }

  /// Whether a watch outlives [error]: a bad line does not end it, and neither does another's page in place of the answer,
  /// such as a captive portal's or a proxy's while the server is deployed anew.
  static bool mayGoOn(LaminaException error) => switch (error) {
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
