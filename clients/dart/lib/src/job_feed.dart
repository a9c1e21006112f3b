import 'dart:async';
import 'dart:convert';

import 'abort.dart';
import 'call.dart';
import 'caller.dart';
import 'endpoints.dart';
import 'exceptions.dart';
import 'job.dart';
import 'job_news.dart';
import 'reading.dart';
import 'server_features.dart';
import 'sse.dart';
import 'watch.dart';

/// Follows all jobs of the token's owner: by the server's stream where it passes, and by its list where it does not. It does not end by itself.
///
/// Ends are told at least once by the server, in their order, and behind the last one that was heard; here each is told once.
final class JobFeed implements Wakeable {
  /// Follows the jobs that [_caller]'s token sees.
  JobFeed(this._caller, this._endpoints, this._features, this._onEnd, this._abort) {
    _out
      ..onListen = _run
      ..onCancel = _finish;
  }

  final Caller _caller;
  final Endpoints _endpoints;
  final ServerFeatures _features;
  final void Function(JobFeed) _onEnd;
  final AbortTrigger? _abort;

  final StreamController<JobNews> _out = StreamController();

  /// What was told last of each job, the newest last; of more than [_most] the oldest are forgotten, and may be told again.
  final Map<String, String> _told = {};
  static const _most = 10000;

  String? _lastEventId;
  String? _etag;
  bool _listed = false;
  bool _over = false;
  bool _woken = false;
  AbortTrigger _turn = AbortTrigger();

  /// Between two readings of the list.
  static const _pollEvery = Duration(seconds: 3);

  /// Between two streams, where the server asks for no other time.
  static const _between = Duration(milliseconds: 500);
  static const _longestBetween = Duration(seconds: 30);

  /// What happens.
  Stream<JobNews> get stream => _out.stream;

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
        await (_features.events && _features.mayWait ? _events() : _list());
        failures = 0;
        waited = Duration.zero;
      } on AbortedException {
        if (!_woken) break;
      } on LaminaException catch (error, trace) {
        if (!JobWatch.mayGoOn(error) || waited > _caller.timeouts.patience) {
          if (!_over) _out.addError(error, trace);
          break;
        }
        failures++;
        final wait = error.retryAfter ?? _caller.retries.backoff(failures, _caller.random);
        waited += wait + (error is LaminaTimeoutException ? _caller.timeouts.answer : Duration.zero);
        await _pause(wait);
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
    _over = true;
    _turn.abort();
    _onEnd(this);
    if (!_out.isClosed) _out.close();
  }

  Future<void> _pause(Duration time) async {
    try {
      await _caller.sleep(time, _turn);
    } on AbortedException {
      // Woken, or over: the loop looks.
    }
  }

  /// The stream for as long as it lasts. Where it is refused, or tells nothing that only lamina says, it counts as one that does not pass.
  Future<void> _events() async {
    _features.waiting++;
    final decoder = EventStreamDecoder();
    var told = false;
    try {
      final answer = await _caller.once(
        Call(
          'GET',
          _endpoints.allEvents,
          headers: {
            'accept': 'text/event-stream',
            'cache-control': 'no-store',
            if (_lastEventId != null) 'last-event-id': _lastEventId!,
          },
          answerWithin: _caller.timeouts.idle ~/ 3,
          firstWithin: _caller.timeouts.idle ~/ 3,
          extraWait: _caller.timeouts.idle * 0.5,
          abort: _turn,
        ),
      );
      if (!(answer.headers['content-type'] ?? '').startsWith('text/event-stream')) {
        await answer.discard();
      } else {
        await for (final event in decoder.bind(answer.body)) {
          if (event.id.isNotEmpty) _lastEventId = event.id;
          if (_over) return;
          if (_event(event)) told = true;
        }
      }
      if (!told && decoder.retry == null) _features.eventsFailed();
    } on FormatException {
      _features.eventsFailed();
    } on AbortedException {
      rethrow;
    } on ProblemException catch (error) {
      // No stream; it may be a proxy's word and not the server's, so only the list decides.
      if (isUnknownRoute(error)) _features.noEvents();
      if (error.code.isEmpty) _features.eventsFailed();
      await _list();
      return;
    } on LaminaException {
      if (!told && decoder.retry == null) _features.eventsFailed();
      rethrow;
    } finally {
      _features.waiting--;
    }
    final asked = decoder.retry ?? _between;
    await _pause(asked < _longestBetween ? asked : _longestBetween);
  }

  /// Whether it was an event of lamina's.
  bool _event(ServerEvent event) {
    final Object? data;
    try {
      data = json.decode(event.data);
    } on FormatException {
      return false;
    }
    if (data is! Map<String, Object?> || data['job_id'] is! String) return false;
    try {
      _take(JobNews.fromJson(data));
    } on MalformedAnswerException {
      // Of a newer server.
    }
    return true;
  }

  /// The newest page of the list, and what has changed of it; then a pause.
  Future<void> _list() async {
    final page = await _caller.run(
      Call(
        'GET',
        _endpoints.jobs({'limit': '100'}),
        headers: {if (_etag != null) 'if-none-match': _etag!},
        safe: true,
        abort: _turn,
      ),
      (answer) async {
        if (answer.status == 304) {
          await answer.discard();
          return null;
        }
        _etag = answer.headers['etag'];
        return JobPage.fromJson(await answer.json());
      },
    );
    for (final summary in page?.jobs.reversed ?? const <JobSummary>[]) {
      final known = _told.containsKey(summary.id);
      // What had ended before anybody listened is not told.
      if (summary.status.isFinal && !known && !_listed && _lastEventId == null) {
        _told[summary.id] = _signOf(summary);
      } else if (_told[summary.id] != _signOf(summary)) {
        await _read(summary.id);
      }
    }
    _listed = true;
    await _pause(_pollEvery);
  }

  Future<void> _read(String id) async {
    try {
      final job = await _caller.run(
        Call('GET', _endpoints.job(id), safe: true, abort: _turn),
        (answer) async => Job.fromJson(await answer.json()),
      );
      _take(JobChanged(job));
    } on GoneException catch (error) {
      _take(JobGone(id, error.code));
    } on NotFoundException catch (error) {
      _take(JobGone(id, error.code));
    }
  }

  void _take(JobNews news) {
    final sign = switch (news) {
      JobChanged(:final job) => _signOf(job),
      JobGone(:final code) => code,
    };
    if (_over || _told.remove(news.jobId) == sign) {
      if (!_over) _told[news.jobId] = sign;
      return;
    }
    _told[news.jobId] = sign;
    if (_told.length > _most) _told.remove(_told.keys.first);
    _out.add(news);
  }

  static String _signOf(JobSummary job) =>
      '${job.status.name} ${job.progress} ${job.queuePosition} ${job.eta?.inSeconds}';
}
