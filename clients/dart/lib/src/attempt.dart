import 'dart:async';

import 'abort.dart';
import 'answer.dart';
import 'call.dart';
import 'exceptions.dart';
import 'timing.dart';
import 'token.dart';
import 'transport.dart';

/// One request on the line, with its time-outs.
final class Attempt {
  /// Makes [_call] by [_transport] with [_token]; [_closed] ends it with the client.
  Attempt(this._transport, this._timeouts, this._closed, this._call, this._token);

  final Transport _transport;
  final Timeouts _timeouts;
  final AbortTrigger _closed;
  final Call _call;
  final LaminaToken? _token;
  final Completer<void> _abort = Completer<void>();
  final Completer<Answer> _result = Completer<Answer>();
  final List<void Function()> _stop = [];
  void Function(LaminaException reason)? _failBody;
  LaminaException? _endedBy;
  Timer? _timer;

  /// Completes with the answer when its headers are here and good; with an exception of the client otherwise.
  Future<Answer> run() {
    void byApp() => _end(const AbortedException());
    _stop.add(_closed.listen(byApp));
    if (_call.abort case final trigger?) _stop.add(trigger.listen(byApp));
    if (_endedBy == null) _send();
    return _result.future;
  }

  /// Ends the request for [reason], wherever it is; the first reason counts.
  void _end(LaminaException reason) {
    _endedBy ??= reason;
    _over();
    if (!_abort.isCompleted) _abort.complete();
    if (!_result.isCompleted) _result.completeError(_endedBy!);
    _failBody?.call(_endedBy!);
  }

  /// Nothing is waited for any more.
  void _over() {
    _timer?.cancel();
    for (final remove in _stop) {
      remove();
    }
    _stop.clear();
  }

  void _within(Duration time, String what) {
    _timer?.cancel();
    if (_endedBy != null) return;
    _timer = Timer(time, () {
      _lineFailed();
      _end(LaminaTimeoutException(what));
    });
  }

  /// What broke or met silence was perhaps a connection that died unnoticed, and others that are kept are no better.
  void _lineFailed() {
    if (_transport case final PooledTransport pooled) pooled.dropIdle();
  }

  void _waitForAnswer([Duration more = Duration.zero]) => _within(
    (_call.answerWithin ?? _timeouts.answer + _call.extraWait) + more,
    'The server did not answer in time.',
  );

  /// How long what the system holds of the body may take on a slow line, after it was handed over: all of it at
  /// [_slowestLine], and no more than [_longestDrain], as a system holds no more than some megabytes.
  Duration get _drain {
    final seconds = (_call.body?.length ?? _heldBytes) ~/ _slowestLine;
    return Duration(seconds: seconds) < _longestDrain ? Duration(seconds: seconds) : _longestDrain;
  }

  static const _slowestLine = 8 * 1024; // bytes in a second: GPRS
  static const _heldBytes = 512 * 1024;
  static const _longestDrain = Duration(seconds: 60);

  Future<void> _send() async {
    _waitForAnswer(_timeouts.connect);
    try {
      final response = await _transport.send(
        TransportRequest(
          _call.method,
          _call.uri,
          headers: {..._call.headers, if (_token != null) 'authorization': 'Bearer ${_token.value}'},
          body: _body(),
          followRedirects: _call.byLink,
          abort: _abort.future,
        ),
      );
      _timer?.cancel();
      final answer = Answer(response.status, response.headers, _guard(response.body));
      if (_result.isCompleted) return await answer.discard();
      final good = answer.status >= 200 && answer.status < 300 || answer.status == 304;
      if (good) return _result.complete(answer);
      final problem = await _problem(answer);
      if (!_result.isCompleted) _result.completeError(problem);
    } on Object catch (error) {
      _over();
      if (error is TransportException && _endedBy == null) _lineFailed();
      if (!_result.isCompleted) _result.completeError(_translate(error));
    }
  }

  /// The body, with the time-out moved on at each piece that the connection takes.
  RequestBody? _body() {
    final body = _call.body;
    if (body == null) return null;
    Stream<List<int>> watched() async* {
      await for (final chunk in body.open()) {
        _within(_timeouts.idle + _drain, 'The connection took no more of the body in time.');
        yield chunk;
      }
      _waitForAnswer(_drain);
    }

    return RequestBody(watched, length: body.length, repeatable: body.repeatable);
  }

  /// The answer's body. Silence, a break or the app ends it with an exception of the client; while nobody reads,
  /// no time passes.
  Stream<List<int>> _guard(Stream<List<int>> body) {
    StreamSubscription<List<int>>? source;
    var failed = false;
    final out = StreamController<List<int>>(sync: true);
    final usual = _timeouts.idle + _call.extraWait;
    void wait([Duration? time]) => _within(time ?? usual, 'The answer stopped in the middle.');
    void fail(LaminaException reason) {
      failed = true;
      _over();
      _failBody = null;
      // A body that nobody has listened to keeps its connection until somebody has.
      (source ?? body.listen(null, onError: (Object _) {})).cancel().ignore();
      if (out.isClosed) return;
      out
        ..addError(reason)
        ..close();
    }

    _failBody = fail;
    out
      ..onListen = () {
        // Its error waits for the listener, and its body is let go.
        if (failed) return;
        wait(_call.firstWithin);
        source = body.listen(
          (chunk) {
            wait();
            out.add(chunk);
          },
          onError: (Object error) => fail(_translate(error)),
          onDone: () {
            _over();
            _failBody = null;
            out.close();
          },
        );
      }
      ..onPause = () {
        _timer?.cancel();
        source?.pause();
      }
      ..onResume = () {
        wait();
        source?.resume();
      }
      ..onCancel = () {
        _over();
        _failBody = null;
        source?.cancel().ignore();
        if (!_abort.isCompleted) _abort.complete();
      };
    return out.stream;
  }

  LaminaException _translate(Object error) => switch (error) {
    _ when _endedBy != null => _endedBy!,
    final LaminaException known => known,
    TransportException(:final message, :final neverSent) => ConnectionException(
      message,
      neverSent: neverSent,
    ),
    FormatException() => const MalformedAnswerException('The answer is not HTTP.'),
    _ => ConnectionException('The connection failed (${error.runtimeType}).'),
  };

  Future<LaminaException> _problem(Answer answer) async {
    final status = answer.status;
    if (status < 200 || status > 599) {
      await answer.discard();
      return MalformedAnswerException('The answer has a status that is none ($status).');
    }
    if (status >= 300 && status < 400) {
      await answer.discard();
      return MalformedAnswerException(
        'The server redirects ($status). Give LaminaClient the final address; a token is not sent on.',
      );
    }
    var json = const <String, Object?>{};
    if (answer.headers['content-type']?.startsWith('application/problem+json') ?? false) {
      try {
        json = await answer.json();
      } on MalformedAnswerException {
        // The status alone says enough.
      }
    } else {
      await answer.discard();
    }
    return ProblemException.of(
      Problem.fromJson(
        json,
        status: status,
        retryAfter: answer.retryAfter,
        requestId: answer.headers['x-request-id'],
      ),
    );
  }
}
