import 'dart:async';
import 'dart:convert';
import 'dart:math';
import 'dart:typed_data';

import 'abort.dart';
import 'codes.dart';
import 'decode_default.dart' if (dart.library.io) 'decode_io.dart';
import 'exceptions.dart';
import 'reading.dart';
import 'timing.dart';
import 'token.dart';
import 'transport.dart';

/// One request to the API or by a link, as the parts of the client describe it.
final class Call {
  /// Describes a call.
  const Call(
    this.method,
    this.uri, {
    this.headers = const {},
    this.body,
    this.safe = false,
    this.byLink = false,
    this.extraWait = Duration.zero,
    this.abort,
  });

  /// The method, in capitals.
  final String method;

  /// The absolute address.
  final Uri uri;

  /// Headers by lower-case name, beside the token.
  final Map<String, String> headers;

  /// The body.
  final RequestBody? body;

  /// Whether it may be made again when nobody knows whether the server took it.
  final bool safe;

  /// Whether [uri] is a signed link: no token is sent, and redirects are followed.
  final bool byLink;

  /// How much longer than usual the server may take: the wait of a long poll.
  final Duration extraWait;

  /// Ends the call.
  final AbortTrigger? abort;
}

/// An answer with a good status.
final class Answer {
  /// An answer.
  const Answer(this.status, this.headers, this.body);

  /// The HTTP status: 2xx or 304.
  final int status;

  /// Headers by lower-case name.
  final Map<String, String> headers;

  /// The body, which ends with an exception of the client when the line breaks or falls silent.
  final Stream<List<int>> body;

  /// How long the server asks to wait before the next question.
  Duration? get retryAfter => retryAfterOf(headers);

  /// The body as a JSON object.
  Future<Map<String, Object?>> json() async {
    final bytes = await readAll(body, _jsonLimit, within: _jsonTime);
    try {
      return asObject(await decodeJson(bytes));
    } on FormatException {
      throw const MalformedAnswerException(
        'The answer is not JSON: is this a lamina server, or a sign-in page of the network?',
      );
    }
  }

  /// Reads what is left of a short body, so that the connection can be used again, and ends a long or slow one.
  Future<void> discard() async {
    try {
      await readAll(body, _discardLimit, within: _discardTime);
    } on LaminaException {
      // Nobody wants it.
    }
  }

  static const _discardLimit = 64 * 1024;
  static const _discardTime = Duration(seconds: 2);

  /// More than a hundred jobs with ten layers each, and little enough to hold.
  static const _jsonLimit = 8 * 1024 * 1024;

  /// A line that takes longer for that is as good as none.
  static const _jsonTime = Duration(minutes: 2);
}

/// Reads `Retry-After` in seconds or as a date.
Duration? retryAfterOf(Map<String, String> headers, {DateTime? now}) {
  final text = headers['retry-after']?.trim();
  if (text == null) return null;
  final seconds = int.tryParse(text);
  if (seconds != null) return seconds < 0 ? null : Duration(seconds: min(seconds, 31536000));
  final date = parseHttpDate(text);
  if (date == null) return null;
  final wait = date.difference(now ?? DateTime.now().toUtc());
  return wait.isNegative ? Duration.zero : wait;
}

/// Reads a date such as `Sun, 06 Nov 1994 08:49:37 GMT`; null for anything else.
DateTime? parseHttpDate(String text) {
  const months = 'JanFebMarAprMayJunJulAugSepOctNovDec';
  final match = RegExp(r'^\w{3}, (\d{2}) (\w{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$').firstMatch(text);
  final month = match == null ? -1 : months.indexOf(match[2]!);
  if (match == null || month < 0 || month % 3 != 0) return null;
  int at(int group) => int.parse(match[group]!);
  return DateTime.utc(at(3), month ~/ 3 + 1, at(1), at(4), at(5), at(6));
}

/// Reads [body] whole, up to [limit] bytes and in no more time than [within].
Future<Uint8List> readAll(Stream<List<int>> body, int limit, {Duration? within}) {
  final all = BytesBuilder(copy: false);
  final done = Completer<Uint8List>();
  late final StreamSubscription<List<int>> reading;
  Timer? timer;
  void fail(Object error, [StackTrace? trace]) {
    timer?.cancel();
    reading.cancel().ignore();
    if (!done.isCompleted) done.completeError(error, trace);
  }

  reading = body.listen(
    (chunk) {
      all.add(chunk);
      if (all.length > limit) fail(MalformedAnswerException('The answer is larger than $limit bytes.'));
    },
    onError: fail,
    onDone: () {
      timer?.cancel();
      if (!done.isCompleted) done.complete(all.takeBytes());
    },
  );
  if (within != null) {
    timer = Timer(within, () => fail(const LaminaTimeoutException('The answer took too long to come.')));
  }
  return done.future;
}

/// Makes calls: token, time-outs, retries, and problems as exceptions.
final class Caller {
  /// Calls by [_transport].
  Caller(this._transport, this._tokens, this.timeouts, this.retries, {Random? random})
    : random = random ?? Random();

  final Transport _transport;
  final TokenKeeper _tokens;

  /// The ends of all waits.
  final Timeouts timeouts;

  /// When calls are made again.
  final RetryPolicy retries;

  /// For jitter.
  final Random random;

  /// Ends all calls when the client is closed.
  final AbortTrigger closed = AbortTrigger();

  /// Ends all calls.
  void close() {
    closed.abort();
    _transport.close();
  }

  /// Makes [call], again where that is allowed, and gives what [read] makes of the answer. [read] is part of an
  /// attempt: a body that breaks is a failed attempt.
  Future<T> run<T>(Call call, Future<T> Function(Answer answer) read, {RetryPolicy? policy}) async {
    final rules = policy ?? retries;
    for (var failures = 1; ; failures++) {
      try {
        return await read(await once(call));
      } on LaminaException catch (error) {
        final wait = failures < rules.attempts ? _waitBefore(error, call, failures, rules) : null;
        if (wait == null) rethrow;
        await sleep(wait, call.abort);
      }
    }
  }

  /// How long to wait before [call] is made again after [error]; null if it is not.
  Duration? _waitBefore(LaminaException error, Call call, int failures, RetryPolicy rules) {
    final again = switch (error) {
      // Refused before anything was done, so the call is as if never made.
      LimitReachedException(status: 429) => true,
      ServerException(status: 503) when error.code.isNotEmpty => true,
      ServerException(:final status) => call.safe && status != 500 && status != 501,
      ConnectionException(:final neverSent) => call.safe || neverSent,
      LaminaTimeoutException() || MalformedAnswerException() => call.safe,
      // Before anything was sent.
      TokenException() => true,
      _ => false,
    };
    if (!again) return null;
    final asked = error.retryAfter;
    if (asked == null) return rules.backoff(failures, random);
    return asked > rules.longestRetryAfter ? null : RetryPolicy.atLeast(asked, random);
  }

  /// Waits, unless [abort] or [close] ends it.
  Future<void> sleep(Duration time, AbortTrigger? abort) async {
    final over = Completer<void>();
    final timer = Timer(time, over.complete);
    try {
      await unlessEnded(over.future, abort);
    } finally {
      timer.cancel();
    }
  }

  /// [work], or an [AbortedException] as soon as [abort] or [close] ends it.
  Future<T> unlessEnded<T>(Future<T> work, AbortTrigger? abort) async {
    final ended = Completer<T>();
    void end() {
      if (!ended.isCompleted) ended.completeError(const AbortedException());
    }

    final stop = [closed.listen(end), if (abort != null) abort.listen(end)];
    try {
      return await Future.any([ended.future, work]);
    } finally {
      for (final remove in stop) {
        remove();
      }
    }
  }

  /// Makes [call] one time, and a second time with a new token when the first was refused.
  Future<Answer> once(Call call) async {
    for (var renewed = false; ; renewed = true) {
      final token = call.byLink ? null : await unlessEnded(_tokens.current(), call.abort);
      try {
        return await _Attempt(this, call, token).run();
      } on UnauthorizedException {
        if (token == null || renewed || !(call.body?.repeatable ?? true)) rethrow;
        _tokens.refuse(token);
      }
    }
  }
}

/// One request on the line, with its time-outs.
final class _Attempt {
  _Attempt(this._caller, this._call, this._token);

  final Caller _caller;
  final Call _call;
  final LaminaToken? _token;
  final Completer<void> _abort = Completer<void>();
  final Completer<Answer> _result = Completer<Answer>();
  final List<void Function()> _stop = [];
  void Function(LaminaException reason)? _failBody;
  LaminaException? _endedBy;
  Timer? _timer;

  Timeouts get _timeouts => _caller.timeouts;

  Future<Answer> run() {
    void byApp() => _end(const AbortedException());
    _stop.add(_caller.closed.listen(byApp));
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
    if (_endedBy == null) _timer = Timer(time, () => _end(LaminaTimeoutException(what)));
  }

  void _waitForAnswer([Duration more = Duration.zero]) =>
      _within(_timeouts.answer + _call.extraWait + more, 'The server did not answer in time.');

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
      final response = await _caller._transport.send(
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
    final out = StreamController<List<int>>(sync: true);
    void wait() => _within(_timeouts.idle + _call.extraWait, 'The answer stopped in the middle.');
    void fail(LaminaException reason) {
      _over();
      _failBody = null;
      source?.cancel().ignore();
      if (out.isClosed) return;
      out
        ..addError(reason)
        ..close();
    }

    _failBody = fail;
    out
      ..onListen = () {
        wait();
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

/// Whether [error] says that the server does not know the route: it is older than the client.
bool isUnknownRoute(LaminaException error) =>
    error is ProblemException &&
    (error.code == ProblemCode.routeNotFound ||
        error.code == ProblemCode.methodNotAllowed ||
        error.status == 406 ||
        error.status == 501);
