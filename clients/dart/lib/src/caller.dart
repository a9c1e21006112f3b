import 'dart:async';
import 'dart:math';

import 'abort.dart';
import 'answer.dart';
import 'attempt.dart';
import 'call.dart';
import 'codes.dart';
import 'exceptions.dart';
import 'timing.dart';
import 'token.dart';
import 'transport.dart';

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

  /// Closes connections that are kept for further calls.
  void dropIdle() {
    if (_transport case final PooledTransport pooled) pooled.dropIdle();
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
        return await Attempt(_transport, timeouts, closed, call, token).run();
      } on UnauthorizedException {
        if (token == null || renewed || !(call.body?.repeatable ?? true)) rethrow;
        _tokens.refuse(token);
      }
    }
  }
}

/// Whether [error] says that the server does not know the route: it is older than the client.
bool isUnknownRoute(LaminaException error) =>
    error is ProblemException &&
    (error.code == ProblemCode.routeNotFound ||
        error.code == ProblemCode.methodNotAllowed ||
        error.status == 406 ||
        error.status == 501);
