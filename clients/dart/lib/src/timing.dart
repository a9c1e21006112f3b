import 'dart:math';

/// Every wait of the client has an end; these are they.
final class Timeouts {
  /// The defaults suit a phone on a weak line.
  const Timeouts({
    this.connect = const Duration(seconds: 10),
    this.token = const Duration(seconds: 30),
    this.answer = const Duration(seconds: 30),
    this.idle = const Duration(seconds: 30),
    this.patience = const Duration(minutes: 10),
  });

  /// To make a connection.
  final Duration connect;

  /// For the `TokenProvider` to give a token.
  final Duration token;

  /// From the end of the request to the beginning of its answer.
  final Duration answer;

  /// Between two pieces of a body, in either direction.
  final Duration idle;

  /// How long a watch or a resumable upload goes on without one good answer, before it gives up with the last error.
  /// Time in which the app sleeps does not count.
  final Duration patience;
}

/// When a call that failed is made again.
final class RetryPolicy {
  /// Up to [attempts] in all, with waits that double from [first] to [longest].
  const RetryPolicy({
    this.attempts = 4,
    this.first = const Duration(milliseconds: 500),
    this.longest = const Duration(seconds: 20),
    this.longestRetryAfter = const Duration(seconds: 60),
  });

  /// No second attempts.
  static const none = RetryPolicy(attempts: 1);

  /// Attempts in all, the first included.
  final int attempts;

  /// The wait after the first failure.
  final Duration first;

  /// The longest wait between two attempts.
  final Duration longest;

  /// A server that asks for a longer wait than this is not waited for: the exception says how long it takes.
  final Duration longestRetryAfter;

  /// The wait after [failures] failures: exponential, with full jitter above a quarter, so that clients that failed
  /// together do not come back together.
  Duration backoff(int failures, Random random) {
    final ceiling = first.inMilliseconds * pow(2, min(failures - 1, 20));
    final bounded = min(ceiling, longest.inMilliseconds);
    return Duration(milliseconds: (bounded * (0.25 + 0.75 * random.nextDouble())).round());
  }

  /// As many attempts as fit into [time] at the longest wait.
  RetryPolicy patient(Duration time) => RetryPolicy(
    attempts: max(attempts, time.inMilliseconds ~/ max(longest.inMilliseconds, 1)),
    first: first,
    longest: longest,
    longestRetryAfter: longestRetryAfter,
  );

  /// The wait that the server asked for, and a little more, never less.
  static Duration atLeast(Duration asked, Random random) =>
      asked + Duration(milliseconds: random.nextInt(250));
}
