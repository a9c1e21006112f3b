import 'dart:convert';

import 'codes.dart';
import 'digest.dart';
import 'exceptions.dart';
import 'job.dart';
import 'reading.dart';

/// A webhook that is not from the server, or too old.
final class WebhookException implements Exception {
  /// An exception that says why in [message].
  const WebhookException(this.message);

  /// Why, without the signature.
  final String message;

  @override
  String toString() => 'WebhookException: $message';
}

/// What a webhook tells: a job has ended, or is gone.
///
/// ```dart
/// final event = WebhookEvent.fromJson(verifyWebhook(headers: headers, body: body, secrets: [secret]));
/// if (event.type == WebhookEvent.completed) layers = await lamina.layers(event.jobId);
/// ```
final class WebhookEvent {
  /// Reads what [verifyWebhook] gave. Throws a [WebhookException] for what is no event of a job.
  factory WebhookEvent.fromJson(Map<String, Object?> json) {
    try {
      return WebhookEvent._(json, json.need<Map<String, Object?>>('data'));
    } on MalformedAnswerException catch (error) {
      throw WebhookException('It is no event of a job. ${error.message}');
    }
  }

  WebhookEvent._(this.json, Map<String, Object?> data)
    : type = json.need('type'),
      timestamp = json.needTime('timestamp'),
      jobId = data.need('job_id'),
      status = data.need('status'),
      error = data.opt('error'),
      errorCode = switch (data.opt<String>('error_code')) {
        null => null,
        final code => FailureCode(code),
      },
      engine = Engine(data.opt('engine') ?? ''),
      createdAt = data.needTime('created_at'),
      expiresAt = data.needTime('expires_at');

  /// The [type] of a job whose layers are there.
  static const completed = 'job.completed';

  /// The [type] of a job that ended without layers.
  static const failed = 'job.failed';

  /// The [type] of a job whose files are gone.
  static const expired = 'job.expired';

  /// Everything the server said, fields of newer servers included.
  final Map<String, Object?> json;

  /// [completed], [failed], [expired], or what a newer server tells. Take an unknown one (answer 2xx) and do nothing.
  final String type;

  /// When it happened, in UTC.
  final DateTime timestamp;

  /// The job. Its layers are not in the event: `layers(jobId)` has them.
  final String jobId;

  /// `completed`, `failed` or `expired`.
  final String status;

  /// Why it failed, as a sentence; null unless failed.
  final String? error;

  /// Why it failed, as a stable word; null unless failed.
  final FailureCode? errorCode;

  /// The engine it ran on.
  final Engine engine;

  /// When the job was created, in UTC.
  final DateTime createdAt;

  /// When it and its layers go, or went, in UTC.
  final DateTime expiresAt;

  @override
  String toString() => 'WebhookEvent $type of job $jobId';
}

/// Checks a webhook by the rules of Standard Webhooks, and gives its body as JSON. For Dart servers.
///
/// [headers] by name in any case; [body] as it came, byte for byte; [secrets] as `whsec_…`, two while one is being replaced. A
/// webhook whose time is more than [tolerance] from [now] is refused, so that an old one cannot be played again.
Map<String, Object?> verifyWebhook({
  required Map<String, String> headers,
  required List<int> body,
  required List<String> secrets,
  Duration tolerance = const Duration(minutes: 5),
  DateTime? now,
}) {
  final lower = {for (final MapEntry(:key, :value) in headers.entries) key.toLowerCase(): value};
  final id = lower['webhook-id'];
  final time = lower['webhook-timestamp'];
  final signatures = lower['webhook-signature'];
  final seconds = int.tryParse(time ?? '');
  if (id == null || seconds == null || signatures == null) {
    throw const WebhookException(
      'It has not the headers webhook-id, webhook-timestamp and webhook-signature.',
    );
  }
  final sent = DateTime.fromMillisecondsSinceEpoch(seconds * 1000, isUtc: true);
  if ((now ?? DateTime.now()).difference(sent).abs() > tolerance) {
    throw const WebhookException('Its time is too far from now. Is this machine\'s clock right?');
  }
  final content = [...utf8.encode('$id.$time.'), ...body];
  for (final secret in secrets) {
    final expected = hmacSha256(_key(secret), content);
    for (final entry in signatures.split(' ')) {
      if (entry.startsWith('v1,') && _same(expected, _decoded(entry.substring(3)))) {
        return _object(body);
      }
    }
  }
  throw const WebhookException('Its signature is wrong.');
}

List<int> _key(String secret) {
  final text = secret.startsWith('whsec_') ? secret.substring(6) : secret;
  try {
    return base64.decode(base64.normalize(text));
  } on FormatException {
    throw ArgumentError('A webhook secret is whsec_ and base64.');
  }
}

List<int> _decoded(String text) {
  try {
    return base64.decode(base64.normalize(text));
  } on FormatException {
    return const [];
  }
}

/// Compares in a time that does not depend on where the first difference is.
bool _same(List<int> a, List<int> b) {
  if (a.length != b.length) return false;
  var difference = 0;
  for (var i = 0; i < a.length; i++) {
    difference |= a[i] ^ b[i];
  }
  return difference == 0;
}

Map<String, Object?> _object(List<int> body) {
  try {
    if (json.decode(utf8.decode(body)) case final Map<String, Object?> object) return object;
  } on FormatException {
    // Told below.
  }
  throw const WebhookException('Its body is not a JSON object.');
}
