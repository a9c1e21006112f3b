import 'dart:async';
import 'dart:math';
import 'dart:typed_data';

import 'decode_default.dart' if (dart.library.io) 'decode_io.dart';
import 'exceptions.dart';
import 'reading.dart';

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
