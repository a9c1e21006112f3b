import 'dart:convert';
import 'dart:math';
import 'dart:typed_data';

import 'job.dart';

/// What is to be done with a picture. Whatever is left out has the server's default.
final class SplitOptions {
  /// Options of a job.
  const SplitOptions({
    this.numLayers,
    this.prompt,
    this.negativePrompt,
    this.seed,
    this.numInferenceSteps,
    this.guidanceScale,
    this.engine,
    this.resolution,
    this.webhookUrl,
    this.extra = const {},
  });

  /// As many layers as the engine finds.
  static const int autoLayers = 0;

  /// 1 to 10, or [autoLayers]. Default: 4 at fal, [autoLayers] with the embedded engine.
  final int? numLayers;

  /// Describes the whole picture; up to 4,000 characters.
  final String? prompt;

  /// What should not be in the layers; up to 4,000 characters.
  final String? negativePrompt;

  /// The same seed and picture give the same layers, where the engine keeps to it. From 0 to 2^63 - 1, and to
  /// 2^53 on the web; the server takes twice as much.
  final int? seed;

  /// 1 to 50, default 28. More take longer and may look better.
  final int? numInferenceSteps;

  /// 1 to 20, default 5.
  final double? guidanceScale;

  /// The engine; default [Engine.auto].
  final Engine? engine;

  /// How large the layers are; default [Resolution.engine].
  final Resolution? resolution;

  /// Told of the job's end by a signed POST; see `verifyWebhook`.
  final Uri? webhookUrl;

  /// Fields of newer servers, by their names in the API.
  final Map<String, Object?> extra;

  /// As the API has it.
  Map<String, Object?> toJson() => {
    if (numLayers != null) 'num_layers': numLayers == autoLayers ? 'auto' : numLayers,
    if (prompt != null) 'prompt': prompt,
    if (negativePrompt != null) 'negative_prompt': negativePrompt,
    if (seed != null) 'seed': seed,
    if (numInferenceSteps != null) 'num_inference_steps': numInferenceSteps,
    if (guidanceScale != null) 'guidance_scale': guidanceScale,
    if (engine != null) 'engine': engine,
    if (resolution != null) 'resolution': resolution,
    if (webhookUrl != null) 'webhook_url': '$webhookUrl',
    ...extra,
  };
}

/// One job to be created. It carries its idempotency key from the moment that it is made, so one request, sent as often as
/// anyone likes, makes one job. To be sure of that across a restart of the app, keep [toJson].
final class JobRequest {
  JobRequest._(this._image, this.options, String? key) : idempotencyKey = key ?? newIdempotencyKey();

  /// A job of an upload.
  JobRequest.upload(String id, {SplitOptions options = const SplitOptions(), String? idempotencyKey})
    : this._({'upload_id': id}, options, idempotencyKey);

  /// A job of a picture that the server fetches: a public https address.
  JobRequest.url(Uri url, {SplitOptions options = const SplitOptions(), String? idempotencyKey})
    : this._({'image_url': url.toString()}, options, idempotencyKey);

  /// A job of a picture in the request itself, in base64. For small ones: it is a third longer and cannot be resumed.
  JobRequest.bytes(Uint8List bytes, {SplitOptions options = const SplitOptions(), String? idempotencyKey})
    : this._({'image_base64': base64.encode(bytes)}, options, idempotencyKey);

  /// A request as [toJson] gave it.
  factory JobRequest.fromJson(Map<String, Object?> json) {
    if (json case {'idempotency_key': final String key, 'body': final Map<String, Object?> body}) {
      return JobRequest._(const {}, SplitOptions(extra: body), key);
    }
    throw const FormatException('Not a JobRequest as toJson gives it.');
  }

  final Map<String, Object?> _image;

  /// What is to be done.
  final SplitOptions options;

  /// Names this request; a repeated create with it answers with the same job.
  final String idempotencyKey;

  /// The body of the create.
  Map<String, Object?> get body => {..._image, ...options.toJson()};

  /// Everything, to be kept and given to [JobRequest.fromJson].
  Map<String, Object?> toJson() => {'idempotency_key': idempotencyKey, 'body': body};
}

/// A fresh key: 128 random bits in hex.
String newIdempotencyKey() {
  final random = Random.secure();
  return [for (var i = 0; i < 16; i++) random.nextInt(256).toRadixString(16).padLeft(2, '0')].join();
}
