import 'dart:async';
import 'dart:math';

import 'abort.dart';
import 'answer.dart';
import 'call.dart';
import 'caller.dart';
import 'endpoints.dart';
import 'exceptions.dart';
import 'reading.dart';
import 'sending.dart';
import 'source.dart';
import 'timing.dart';
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

  /// A part of which nothing was taken for so long is given up when the app comes back.
  static const _stalled = Duration(seconds: 1);

  final Set<Sending> _underWay = {};

  /// Has every resumable upload that does not move look how far it is, over a new connection.
  void wake() {
    for (final job in [..._underWay]) {
      if (job.stillFor > _stalled) job.interrupt();
    }
  }

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
    final job = Sending(source, length, onProgress ?? (_) {}, abort);
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
  Future<Upload> _direct(Sending job) => _caller.run(
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

  Future<Upload> _byTicket(Sending job) async {
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
  Future<void> _sendByTicket(UploadTicket ticket, Sending job) async {
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

  Future<Upload> _resumable(Sending job) async {
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

  Future<Upload> _resume(Sending job, String id) async {
    if (job.length == null || !job.source.repeatable) throw _notResumable;
    return _parts(job, id, await _offset(job, id));
  }

  static const _notResumable = SourceException(
    'A resumable upload needs a source of known length that can be read again.',
  );

  /// Sends part after part from [start]. After a cut it asks how far the server is and goes on there; it gives up
  /// after [Timeouts.patience] without a byte more.
  Future<Upload> _parts(Sending job, String id, int start) async {
    job.resumeId = id;
    _underWay.add(job);
    try {
      await _partsFrom(job, id, start);
    } finally {
      _underWay.remove(job);
    }
    return Upload(id);
  }

  Future<void> _partsFrom(Sending job, String id, int start) async {
    final length = job.length!;
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
        failure = error;
        if (!job.takeInterruption()) {
          if (!_mayGoOn(error)) rethrow;
          final wait = error.retryAfter ?? _caller.retries.backoff(failures + 1, _caller.random);
          if (waited > _caller.timeouts.patience) rethrow;
          waited += wait + (error is LaminaTimeoutException ? _caller.timeouts.idle : Duration.zero);
          await _caller.sleep(wait, job.abort);
        }
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

  Future<int> _part(Sending job, String id, int from, int to) async {
    final trigger = job.beginPart();
    final stop = job.abort?.listen(trigger.abort);
    try {
      return await _caller.run(
        Call(
          'PATCH',
          _endpoints.tusUpload(id),
          headers: {..._tus, 'content-type': 'application/offset+octet-stream', 'upload-offset': '$from'},
          body: job.body(from, to),
          abort: trigger,
        ),
        (answer) => _offsetOf(answer, job),
        policy: RetryPolicy.none,
      );
    } finally {
      stop?.call();
    }
  }

  /// How far the server is. This question is asked with the caller's own patience: a server that restarts is away for
  /// some seconds.
  Future<int> _offset(Sending job, String id) => _caller.run(
    // Something broke a connection; the part that follows begins a new one. A proxy that closes kept connections as they are used
    // again would break each part otherwise.
    Call(
      'HEAD',
      _endpoints.tusUpload(id),
      headers: {..._tus, 'connection': 'close'},
      safe: true,
      abort: job.abort,
    ),
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

  Future<int> _offsetOf(Answer answer, Sending job) async {
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
  }) async => _sendByTicket(ticket, Sending(source, await source.length(), onProgress ?? (_) {}, abort));
}
