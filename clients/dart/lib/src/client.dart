import 'dart:async';
import 'dart:math';
import 'dart:typed_data';

import 'abort.dart';
import 'answer.dart';
import 'arrangement.dart';
import 'call.dart';
import 'caller.dart';
import 'codes.dart';
import 'decode_default.dart' if (dart.library.io) 'decode_io.dart';
import 'download.dart';
import 'endpoints.dart';
import 'exceptions.dart';
import 'export.dart';
import 'job.dart';
import 'job_feed.dart';
import 'job_news.dart';
import 'layer.dart';
import 'reading.dart';
import 'request.dart';
import 'server_features.dart';
import 'source.dart';
import 'split.dart';
import 'split_point.dart';
import 'timing.dart';
import 'token.dart';
import 'transport.dart';
import 'transport_default.dart'
    if (dart.library.io) 'transport_io.dart'
    if (dart.library.js_interop) 'transport_web.dart';
import 'upload.dart';
import 'uploader.dart';
import 'watch.dart';
import 'webhooks.dart';

/// A lamina server.
///
/// Make one for the whole app, and [close] it with the app. Every call throws a [LaminaException] and nothing else, has an
/// end, and is made again by itself where that can do no harm.
final class LaminaClient {
  /// A client of the server at [baseUri], which may have a path of its own.
  ///
  /// [token] is asked for a token when one is needed; null for a server without keys. Never ship a server's key in an app: let
  /// your own backend hand out what the provider returns. [transport] replaces the platform's own. Pictures larger than
  /// [resumableAbove] (bytes) are sent in parts of at most [partBytes]. Up to
  /// [maxEventStreams] watches wait for news at once, and the others ask now and then: by default 3 on the web, where a browser opens six
  /// connections to a host, and 32 elsewhere.
  LaminaClient(
    Uri baseUri, {
    TokenProvider? token,
    Transport? transport,
    this.timeouts = const Timeouts(),
    RetryPolicy retries = const RetryPolicy(),
    int resumableAbove = 1024 * 1024,
    int partBytes = 8 * 1024 * 1024,
    int? maxEventStreams,
    Random? random,
  }) : _endpoints = Endpoints(baseUri),
       _caller = Caller(
         transport ?? defaultTransport(timeouts.connect),
         TokenKeeper(token, timeouts.token),
         timeouts,
         retries,
         random: random,
       ),
       _features = ServerFeatures(maxEventStreams ?? ServerFeatures.usual) {
    _uploader = Uploader(_caller, _endpoints, resumableAbove: resumableAbove, partBytes: partBytes);
  }

  /// The ends of all waits.
  final Timeouts timeouts;

  final Endpoints _endpoints;
  final Caller _caller;
  late final Uploader _uploader;
  final ServerFeatures _features;
  final Set<Wakeable> _watches = {};

  /// All of it: sends [source], makes a job, follows it, and gives the layers.
  SplitRun split(
    ImageInput source, {
    SplitOptions options = const SplitOptions(),
    UploadMethod method = UploadMethod.auto,
    AbortTrigger? abort,
  }) => SplitRun(this, source, options, method, abort: abort);

  /// Goes on with a split of an earlier run of the app, which was at [point]. [source] and [options] are needed only where
  /// [SplitPoint.needsPicture] says so.
  SplitRun resumeSplit(
    SplitPoint point, {
    ImageInput? source,
    SplitOptions options = const SplitOptions(),
    UploadMethod method = UploadMethod.auto,
    AbortTrigger? abort,
  }) => SplitRun(this, source, options, method, from: point, abort: abort);

  /// Sends a picture. [resumeId] goes on with an upload that [UploadProgress.resumeId] named.
  Future<Upload> upload(
    ImageInput source, {
    UploadMethod method = UploadMethod.auto,
    String? resumeId,
    void Function(UploadProgress progress)? onProgress,
    AbortTrigger? abort,
  }) => _uploader.send(source, method, resumeId: resumeId, onProgress: onProgress, abort: abort);

  /// A right to send one picture without a token, for a background uploader. [contentType] and [bytes] bind it to a type and an
  /// exact size.
  Future<UploadTicket> createTicket({String? contentType, int? bytes}) =>
      _uploader.ticket(contentType: contentType, bytes: bytes);

  /// Sends a picture by [ticket], without a token.
  Future<void> sendTicket(
    UploadTicket ticket,
    ImageInput source, {
    void Function(UploadProgress progress)? onProgress,
    AbortTrigger? abort,
  }) => _uploader.putTicket(ticket, source, onProgress: onProgress, abort: abort);

  /// Erases an upload that was begun in parts and that nobody wants any more ([UploadProgress.resumeId]); it would go by itself a day later,
  /// and counts against the owner's bytes until then. One that is gone, or that a job has used, counts as erased.
  Future<void> discardUpload(String resumeId, {AbortTrigger? abort}) =>
      _uploader.discard(resumeId, abort: abort);

  /// How far an upload is.
  Future<UploadStatus> uploadStatus(String uploadId) => _uploader.status(uploadId);

  /// Makes a job. Repeating it with the same [request] answers with the same job, however often answers are lost.
  ///
  /// With [wait] (whole seconds, 60 at most) the answer comes when the job has ended, or when that time is over: [CreatedJob.job] is the job
  /// by then. For programs that have nothing to show meanwhile; a server without a free place for it answers at once.
  Future<CreatedJob> create(JobRequest request, {Duration? wait, AbortTrigger? abort}) => _caller.run(
    Call(
      'POST',
      _endpoints.jobs(),
      headers: {
        ...jsonHeaders,
        'idempotency-key': request.idempotencyKey,
        if (wait != null) 'prefer': 'wait=${wait.inSeconds}',
      },
      body: jsonBody(request.body),
      safe: true,
      extraWait: wait ?? Duration.zero,
      abort: abort,
    ),
    (answer) async =>
        CreatedJob.fromJson(await answer.json(), replayed: answer.headers['idempotency-replayed'] == 'true'),
  );

  /// The job now.
  Future<Job> job(String id, {AbortTrigger? abort}) => _caller.run(
    Call('GET', _endpoints.job(id), safe: true, abort: abort),
    (answer) async => Job.fromJson(await answer.json()),
  );

  /// The layers of a completed job, bottom first, with fresh links. Throws a [ConflictException] before completion.
  Future<List<Layer>> layers(String id, {AbortTrigger? abort}) => _caller.run(
    Call('GET', _endpoints.layers(id), safe: true, abort: abort),
    (answer) async => layersFromJson(await answer.json()),
  );

  /// Deletes the job: ends it at its engine and erases its files. One that is gone already counts as deleted.
  Future<void> delete(String id, {AbortTrigger? abort}) async {
    try {
      await _caller.run(
        Call('DELETE', _endpoints.job(id), safe: true, abort: abort),
        (answer) => answer.discard(),
      );
    } on GoneException {
      // Deleted before, perhaps by an attempt of this very call whose answer was lost; or expired.
    }
  }

  /// All jobs of the token's owner, newest first; pages are fetched as they are needed, of [pageSize] (1 to 100).
  Stream<JobSummary> jobs({int pageSize = 20}) async* {
    String? cursor;
    do {
      final page = await jobPage(limit: pageSize, cursor: cursor);
      yield* Stream.fromIterable(page.jobs);
      cursor = page.nextCursor;
    } while (cursor != null);
  }

  /// One page of jobs.
  Future<JobPage> jobPage({int limit = 20, String? cursor, AbortTrigger? abort}) => _caller.run(
    Call(
      'GET',
      _endpoints.jobs({'limit': '$limit', if (cursor != null) 'cursor': cursor}),
      safe: true,
      abort: abort,
    ),
    (answer) async => JobPage.fromJson(await answer.json()),
  );

  /// The job each time that it changed, to its end: the last event is a [CompletedJob] or a [FailedJob], then the stream ends.
  ///
  /// It outlives lost networks, restarts of the server and an app that slept, and misses no end. It ends with an exception when
  /// the job is gone, the token is refused, or nothing was heard for [Timeouts.patience].
  Stream<Job> watch(String id, {AbortTrigger? abort}) {
    final watch = JobWatch(_caller, _endpoints, _features, id, _watches.remove, abort);
    _watches.add(watch);
    return watch.stream;
  }

  /// What happens to all jobs of the token's owner, also of those that others make: each that is under way as it is, then every change. It does not end by
  /// itself, and outlives what [watch] outlives. Ends are told in their order; of the steps on the way some may be missing.
  Stream<JobNews> watchAll({AbortTrigger? abort}) {
    final feed = JobFeed(_caller, _endpoints, _features, _watches.remove, abort);
    _watches.add(feed);
    return feed.stream;
  }

  /// Has every watch look at once, and every resumable upload that hangs. Call it when the app comes back to the foreground, or the network
  /// does: a connection that died while the phone slept is not noticed by itself for a while.
  void wake() {
    _features.lineChanged();
    _caller.dropIdle();
    _uploader.wake();
    for (final watch in [..._watches]) {
      watch.wake();
    }
  }

  /// The file of [layer], checked against its size and SHA-256.
  Future<Uint8List> layerBytes(Layer layer, {AbortTrigger? abort}) =>
      _caller.run(Call('GET', layer.url, safe: true, byLink: true, abort: abort), (answer) async {
        final bytes = await readAll(answer.body, layer.bytes ?? _layerLimit);
        final short = layer.bytes != null && bytes.length != layer.bytes;
        if (short || layer.sha256 != null && await sha256Hex(bytes) != layer.sha256) {
          throw const MalformedAnswerException('The layer that came is not the one that was promised.');
        }
        return bytes;
      });

  /// The file of [layer] as it comes, unchecked; for a file of one's own. It goes on where it was after a cut.
  Stream<List<int>> layerStream(Layer layer, {AbortTrigger? abort}) =>
      _stream(Call('GET', layer.url, safe: true, byLink: true, abort: abort));

  /// The small version of [layer], for a list.
  Future<Uint8List> layerThumbnail(Layer layer, {AbortTrigger? abort}) async {
    final url = layer.thumbnailUrl;
    if (url == null) throw const NotSupportedException('This server makes no thumbnails.');
    return _caller.run(
      Call('GET', url, safe: true, byLink: true, abort: abort),
      (answer) => readAll(answer.body, _layerLimit),
    );
  }

  /// A variant of [layer], as [Layer.variantUrl] has it, unchecked.
  Future<Uint8List> layerVariant(
    Layer layer, {
    bool trim = false,
    String? format,
    int? width,
    AbortTrigger? abort,
  }) => _caller.run(
    Call(
      'GET',
      layer.variantUrl(trim: trim, format: format, width: width),
      safe: true,
      byLink: true,
      abort: abort,
    ),
    (answer) => readAll(answer.body, _layerLimit),
  );

  /// All layers in one file, such as `psd`, `ora`, `pptx`, `svg`, `zip`, `tiff` or `gif`, as it comes: give it to a file's `openWrite()`. [name] is what the picture is
  /// called in it. It goes on where it was after a cut, if the server can. [recipe] is what a person made of the layers ([LayerArrangement.recipe]); without it they are as they came.
  Stream<List<int>> export(
    String id,
    String format, {
    String? name,
    Map<String, Object?>? recipe,
    AbortTrigger? abort,
  }) {
    final uri = _endpoints.export(id, format, {if (name != null) 'name': name});
    final call = recipe == null
        ? Call('GET', uri, safe: true, answerWithin: timeouts.answer + _makingTime, abort: abort)
        : Call(
            'POST',
            uri,
            headers: jsonHeaders,
            body: jsonBody(recipe),
            safe: true,
            answerWithin: timeouts.answer + _makingTime,
            abort: abort,
          );
    return _ifSupported(recipe == null ? 'exports' : 'exports of what was arranged', _stream(call));
  }

  /// Links to all files that [export] gives, for a browser or a download manager of the system.
  Future<List<ExportLink>> exportLinks(String id, {AbortTrigger? abort}) =>
      _caller.run(Call('GET', _endpoints.layers(id), safe: true, abort: abort), (answer) async {
        final exports = (await answer.json()).opt<List<Object?>>('exports');
        if (exports == null) throw const NotSupportedException('This server has no exports yet.');
        return [for (final link in exports) ExportLink.fromJson(asObject(link))];
      });

  /// The layers put together as one picture by [recipe] ([LayerArrangement.recipe]). [name] is what the picture is called.
  Stream<List<int>> composite(String id, Map<String, Object?> recipe, {String? name, AbortTrigger? abort}) =>
      _ifSupported(
        'compositing',
        _stream(
          Call(
            'POST',
            _endpoints.composite(id, {if (name != null) 'name': name}),
            headers: jsonHeaders,
            body: jsonBody(recipe),
            safe: true,
            answerWithin: timeouts.answer + _makingTime,
            abort: abort,
          ),
        ),
      );

  /// Where ends of jobs are told by signed POSTs, for servers.
  Webhooks get webhooks => Webhooks(_caller, _endpoints);

  /// Frees connections and ends every call that is under way with an [AbortedException].
  void close() => _caller.close();

  /// A file of all layers is made when it is asked for, before its first byte.
  static const _makingTime = Duration(seconds: 30);

  /// Far above any layer; a bound on what is held for an answer without a promised size.
  static const _layerLimit = 256 * 1024 * 1024;

  Stream<List<int>> _stream(Call call) => Download(_caller, call).stream;

  Stream<List<int>> _ifSupported(String feature, Stream<List<int>> stream) => stream.handleError(
    (Object _) => throw NotSupportedException('This server has no $feature yet.'),
    test: (error) =>
        error is ProblemException &&
        (error.code == ProblemCode.routeNotFound || error.code == ProblemCode.methodNotAllowed),
  );
}
