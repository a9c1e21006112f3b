/// The little that the tests need of a test library: there is no package server where they run.
library;

import 'dart:async';
import 'dart:io';

final List<(String, FutureOr<void> Function())> _tests = [];

/// Registers a test; its [name] is a sentence.
void test(String name, FutureOr<void> Function() body) => _tests.add((name, body));

/// A test that hangs is a failed test. Generous: the machine may be slow.
const _limit = Duration(seconds: 120);

/// Runs all tests one after the other, says how they went, and ends the program.
Future<Never> runTests({Future<void> Function()? before, Future<void> Function()? after}) async {
  final only = Platform.environment['ONLY'];
  var passed = 0;
  var failed = 0;
  Future<void> one(String name, FutureOr<void> Function() body) async {
    final clock = Stopwatch()..start();
    try {
      await Future.sync(body).timeout(_limit);
      passed++;
      stdout.writeln('ok      $name (${clock.elapsedMilliseconds} ms)');
    } on Object catch (error, trace) {
      failed++;
      stdout.writeln('FAILED  $name\n$error\n$trace');
    }
  }

  await runZonedGuarded(
    () async {
      if (before != null) await before();
      for (final (name, body) in _tests) {
        if (only == null || name.contains(only)) await one(name, body);
      }
    },
    (error, trace) {
      failed++;
      stdout.writeln('FAILED  an error that no one caught\n$error\n$trace');
    },
  );
  try {
    if (after != null) await after();
  } on Object catch (error) {
    failed++;
    stdout.writeln('FAILED  the end of the tests\n$error');
  }
  stdout.writeln('$passed passed, $failed failed');
  await stdout.flush();
  exit(failed == 0 && passed > 0 ? 0 : 1);
}

/// What a failed check throws.
final class CheckFailed implements Exception {
  CheckFailed(this.message);
  final String message;
  @override
  String toString() => message;
}

/// [condition] holds.
void check(bool condition, String what) {
  if (!condition) throw CheckFailed('Not so: $what');
}

/// [actual] is [expected], element by element for lists, sets and maps.
void equal(Object? actual, Object? expected, [String what = '']) {
  if (!_same(actual, expected)) throw CheckFailed('$what\n  expected: $expected\n  actual:   $actual');
}

bool _same(Object? a, Object? b) => switch ((a, b)) {
  (final List<Object?> a, final List<Object?> b) =>
    a.length == b.length && [for (final (i, x) in a.indexed) _same(x, b[i])].every((same) => same),
  (final Map<Object?, Object?> a, final Map<Object?, Object?> b) =>
    a.length == b.length && a.keys.every((key) => b.containsKey(key) && _same(a[key], b[key])),
  (final Set<Object?> a, final Set<Object?> b) => a.length == b.length && a.containsAll(b),
  _ => a == b,
};

/// [work] throws a [T], which is given back.
Future<T> throws<T extends Object>(FutureOr<Object?> Function() work) async {
  final Object? result;
  try {
    result = await work();
  } on T catch (error) {
    return error;
  }
  throw CheckFailed('Expected a $T, got $result');
}

/// Waits until [condition] holds.
Future<void> until(FutureOr<bool> Function() condition, String what) async {
  final clock = Stopwatch()..start();
  while (!await condition()) {
    if (clock.elapsed > const Duration(seconds: 60)) throw CheckFailed('Waited in vain: $what');
    await Future<void>.delayed(const Duration(milliseconds: 20));
  }
}
