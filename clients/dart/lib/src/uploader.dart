import 'dart:async';
import 'dart:math';

import 'abort.dart';
import 'answer.dart';
import 'call.dart';
import 'caller.dart';
import 'endpoints.dart';
import 'exceptions.dart';
import 'reading.dart';
import 'source.dart';
import 'timing.dart';
import 'transport.dart';
import 'upload.dart';

/// Sends pictures, in the ways of [UploadMethod].
final class Uploader {
  /// Sends by [_caller].
  Uploader(this._caller, this._endpoints, {required this.resumableAbove, required this.partBytes});

  final Caller _caller;
  final Endpoints _endpoints;

  /// [UploadMethod.auto] sends in parts from this size on.
  final int resumableAbove;

  /// The largest part of a resumable upload. Parts begin at [_firstPart] and grow while the line is quick, so that on a slow
  /// one what is confirmed moves every few seconds, and on a quick one there are few requests.
  final int partBytes;

  static const _firstPart = 256 * 1024;
  static const _quickPart = Duration(seconds: 2);
  static const _slowPart = Duration(seconds: 10);
  static const _leastPart = 32 * 1024;

  static const _tus = {'tus-resumable': '1.0.0'};

  /// Sends [source] by [method].
  Future<Upload> send(
    ImageInput source,
    UploadMethod method, {
    String? resumeId,
    void Function(UploadProgress)? onProgress,
    AbortTrigger? abort,
  }) async {
    final length = await source.length();
    if (length == 0) throw const SourceException('The picture has no bytes.');
    final job = _Sending(source, length, onProgress ?? (_) {}, abort);
    if (resumeId != null) return _resume(job, resumeId);
    switch (method) {
      case UploadMethod.direct:
        return _direct(job);
      case UploadMethod.ticket:
        return _byTicket(job);
      case UploadMethod.resumable:
        return _resumable(job);
      case UploadMethod.auto:
        if (length == null || !source.repeatable || length <= resumableAbove) return _direct(job);
        try {
          return await _resumable(job);
        } on ProblemException catch (error) {
          if (!isUnknownRoute(error)) rethrow;
          return _direct(job);
        }
    }
  }

  /// In one request. A second attempt may leave an upload behind that no one knows; it expires unused.
  Future<Upload> _direct(_Sending job) => _caller.run(
    Call(
      'POST',
      _endpoints.upload,
      headers: const {'content-type': 'application/octet-stream'},
      body: job.body(0, job.length),
      safe: job.source.repeatable,
      abort: job.abort,
    ),
    (answer) async {
      final image = StoredImage.fromJson(await answer.json());
      job.confirm(image.bytes);
      return Upload(image.uploadId, image: image);
    },
    policy: job.source.repeatable ? null : RetryPolicy.none,
  );

  Future<Upload> _byTicket(_Sending job) async {
    final ticket = await this.ticket(bytes: job.length, abort: job.abort);
    await _sendByTicket(ticket, job);
    return Upload(ticket.uploadId);
  }

  /// Asks for a ticket.
  Future<UploadTicket> ticket({String? contentType, int? bytes, AbortTrigger? abort}) => _caller.run(
    Call(
      'POST',
      _endpoints.uploads,
      headers: jsonHeaders,
      body: jsonBody({
        if (contentType != null) 'content_type': contentType,
        if (bytes != null) 'bytes': bytes,
      }),
      // A ticket that nobody uses costs nothing and ends within the hour.
      safe: true,
      abort: abort,
    ),
    (answer) async => UploadTicket.fromJson(await answer.json()),
  );

  /// Sends the one body of [ticket]. When an answer was lost and the body is there, that is the end of it.
  Future<void> _sendByTicket(UploadTicket ticket, _Sending job) async {
    try {
      await _caller.run(
        Call(
          ticket.method,
          ticket.url,
          headers: ticket.taskHeaders,
          body: job.body(0, job.length),
          safe: job.source.repeatable,
          byLink: true,
          abort: job.abort,
        ),
        (answer) => answer.discard(),
        policy: job.source.repeatable ? null : RetryPolicy.none,
      );
    } on ConflictException catch (error) {
      if (error.code != 'upload_already_received' || job.attempts < 2) rethrow;
    }
    job.confirm(job.length);
  }

  Future<Upload> _resumable(_Sending job) async {
    final length = job.length;
    if (length == null || !job.source.repeatable) {
      throw const SourceException(
        'A resumable upload needs a source of known length that can be read again.',
      );
    }
    final id = await _caller.run(
      Call(
        'POST',
        _endpoints.tus,
        headers: {..._tus, 'upload-length': '$length'},
        // An upload that was begun twice is empty the second time, and expires.
        safe: true,
        abort: job.abort,
      ),
      (answer) async {
        await answer.discard();
        final segments = Uri.tryParse(answer.headers['location'] ?? '')?.pathSegments ?? const [];
        return segments.isEmpty
            ? throw const MalformedAnswerException('The answer names no resumable upload (Location).')
            : segments.last;
      },
    );
    return _parts(job, id, 0);
  }

  Future<Upload> _resume(_Sending job, String id) async {
    if (job.length == null || !job.source.repeatable) throw _notResumable;
    return _parts(job, id, await _offset(job, id));
  }

  static const _notResumable = SourceException(
    'A resumable upload needs a source of known length that can be read again.',
  );

  /// Sends part after part from [start]. After a cut it asks how far the server is and goes on there; it gives up
  /// after [Timeouts.patience] without a byte more.
  Future<Upload> _parts(_Sending job, String id, int start) async {
    final length = job.length!;
    job.resumeId = id;
    var offset = start;
    var part = min(_firstPart, partBytes);
    var failures = 0;
    var waited = Duration.zero;
    while (offset < length) {
      final before = offset;
      LaminaException? failure;
      final clock = Stopwatch()..start();
      try {
        offset = await _part(job, id, offset, min(offset + part, length));
        if (clock.elapsed < _quickPart) part = min(part * 2, partBytes);
        if (clock.elapsed > _slowPart) part = max(part ~/ 2, min(_leastPart, partBytes));
      } on LaminaException catch (error) {
        if (!_mayGoOn(error)) rethrow;
        failure = error;
        final wait = error.retryAfter ?? _caller.retries.backoff(failures + 1, _caller.random);
        if (waited > _caller.timeouts.patience) rethrow;
        waited += wait + (error is LaminaTimeoutException ? _caller.timeouts.idle : Duration.zero);
        await _caller.sleep(wait, job.abort);
        offset = await _offset(job, id);
        part = max(part ~/ 2, min(_leastPart, partBytes));
      }
      job.confirm(offset);
      if (offset > before) {
        failures = 0;
        waited = Duration.zero;
      } else if (failure != null) {
        failures++;
      } else {
        throw const MalformedAnswerException('The server took a part and counts no byte of it.');
      }
    }
    return Upload(id);
  }

  static bool _mayGoOn(LaminaException error) => switch (error) {
    ConnectionException() ||
    LaminaTimeoutException() ||
    MalformedAnswerException() ||
    TokenException() => true,
    ConflictException(code: 'upload_offset_mismatch' || 'upload_taken_over') => true,
    ServerException() || LimitReachedException(status: 429) => error.canRetry,
    // The connection was cut, and the server's word about that came through all the same.
    InvalidRequestException(code: 'body_incomplete') => true,
    _ => false,
  };

  Future<int> _part(_Sending job, String id, int from, int to) => _caller.run(
    Call(
      'PATCH',
      _endpoints.tusUpload(id),
      headers: {..._tus, 'content-type': 'application/offset+octet-stream', 'upload-offset': '$from'},
      body: job.body(from, to),
      abort: job.abort,
    ),
    (answer) => _offsetOf(answer, job),
    policy: RetryPolicy.none,
  );

  /// How far the server is. This question is asked with the caller's own patience: a server that restarts is away for
  /// some seconds.
  Future<int> _offset(_Sending job, String id) => _caller.run(
    Call('HEAD', _endpoints.tusUpload(id), headers: _tus, safe: true, abort: job.abort),
    (answer) async {
      final declared = int.tryParse(answer.headers['upload-length'] ?? '');
      if (declared != null && declared != job.length) {
        throw SourceException(
          'The upload was begun with $declared bytes, and the picture has ${job.length}.',
        );
      }
      return _offsetOf(answer, job);
    },
    policy: _caller.retries.patient(_caller.timeouts.patience),
  );

  Future<int> _offsetOf(Answer answer, _Sending job) async {
    await answer.discard();
    final offset = int.tryParse(answer.headers['upload-offset'] ?? '');
    if (offset == null || offset < 0 || offset > job.length!) {
      throw const MalformedAnswerException('The answer does not say how far the upload is (Upload-Offset).');
    }
    return offset;
  }

  /// Erases what came of the upload [id].
  Future<void> discard(String id, {AbortTrigger? abort}) async {
    try {
      await _caller.run(
        Call('DELETE', _endpoints.tusUpload(id), headers: _tus, safe: true, abort: abort),
        (answer) => answer.discard(),
      );
    } on NotFoundException {
      // Erased before, perhaps by an attempt of this very call; or a job has it.
    } on GoneException {
      // Expired.
    }
  }

  /// How far the upload [id] is.
  Future<UploadStatus> status(String id, {AbortTrigger? abort}) => _caller.run(
    Call('GET', _endpoints.uploadStatus(id), safe: true, abort: abort),
    (answer) async => UploadStatus.fromJson(await answer.json()),
  );

  /// Sends [source] by [ticket].
  Future<void> putTicket(
    UploadTicket ticket,
    ImageInput source, {
    void Function(UploadProgress)? onProgress,
    AbortTrigger? abort,
  }) async => _sendByTicket(ticket, _Sending(source, await source.length(), onProgress ?? (_) {}, abort));
}

/// One picture on its way, and how far it is.
final class _Sending {
  _Sending(this.source, this.length, this.onProgress, this.abort);

  final ImageInput source;
  final int? length;
  final void Function(UploadProgress) onProgress;
  final AbortTrigger? abort;
  String? resumeId;
  int attempts = 0;
  int _confirmed = 0;

  /// The bytes from [from] to [to] as a body, counted while they are taken.
  RequestBody body(int from, int? to) {
    Stream<List<int>> counted() async* {
      attempts++;
      var sent = from;
      await for (var chunk in source.read(from)) {
        if (to != null && sent + chunk.length > to) chunk = chunk.sublist(0, to - sent);
        if (chunk.isEmpty) break;
        yield chunk;
        sent += chunk.length;
        _tell(sent);
        if (sent == to) return;
      }
      if (to != null && sent < to) {
        throw const SourceException('The picture ended early: it was changed while it was sent.');
      }
    }

    return RequestBody(counted, length: to == null ? null : to - from, repeatable: source.repeatable);
  }

  /// The server has the first [bytes].
  void confirm(int? bytes) {
    _confirmed = resumeId == null ? length ?? bytes ?? 0 : bytes ?? 0;
    _tell(_confirmed);
  }

  /// What a listener throws is its own, and ends no upload.
  void _tell(int sent) {
    try {
      onProgress(UploadProgress(sent, _confirmed, length, resumeId: resumeId));
    } on Object catch (error, trace) {
      Zone.current.handleUncaughtError(error, trace);
    }
  }
}
