import 'dart:async';
import 'dart:math';

import 'abort.dart';
import 'client.dart';
import 'exceptions.dart';
import 'job.dart';
import 'request.dart';
import 'source.dart';
import 'split_point.dart';
import 'upload.dart';

/// What happens on the way from a picture to its layers.
sealed class SplitEvent {
  /// What all events are.
  const SplitEvent();

  /// The whole way from 0.0 to 1.0: the upload is its first fifth. It never falls.
  double get fraction;
}

/// The picture is being sent.
final class SplitUploading extends SplitEvent {
  /// As far as [progress].
  const SplitUploading(this.progress, this.fraction);

  /// How far.
  final UploadProgress progress;

  @override
  final double fraction;
}

/// The picture was sent, and the job is being made by [request].
final class SplitSent extends SplitEvent {
  /// With what makes the job.
  const SplitSent(this.request);

  /// Made again, also in another run of the app, it is the same job.
  final JobRequest request;

  @override
  double get fraction => SplitRun.uploadShare;
}

/// The job was made. Keep [jobId]: `watch(jobId)` goes on with it after the app was closed.
final class SplitCreated extends SplitEvent {
  /// As the job [jobId].
  const SplitCreated(this.jobId);

  /// The job's id.
  final String jobId;

  @override
  double get fraction => SplitRun.uploadShare;
}

/// The job moved.
final class SplitProgress extends SplitEvent {
  /// To where [job] is.
  const SplitProgress(this.job);

  /// The job now.
  final Job job;

  @override
  double get fraction => SplitRun.uploadShare + (1 - SplitRun.uploadShare) * job.progress;
}

/// One picture on its way to layers, as `LaminaClient.split` starts it.
final class SplitRun {
  /// Starts with [source], or goes on [from] where another run was.
  SplitRun(
    this._client,
    ImageInput? source,
    SplitOptions options,
    this._method, {
    SplitPoint? from,
    AbortTrigger? abort,
  }) : _point = from,
       _abort = abort ?? AbortTrigger() {
    // Whoever looks at [events] alone is told there; nobody has to look at both.
    done.ignore();
    _start(source, options);
  }

  /// The upload's share of the whole way, by feel: it is quick on a good line, and a start on a bad one.
  static const double uploadShare = 0.2;

  final LaminaClient _client;
  final UploadMethod _method;
  final AbortTrigger _abort;
  final StreamController<SplitEvent> _events = StreamController();
  final Completer<CompletedJob> _done = Completer();
  double _uploaded = 0;
  SplitPoint? _point;

  /// How far it is, for another run of the app to go on from; null while there is nothing to go on from.
  SplitPoint? get point => _point;

  /// What happens, then the end of the stream; an error is the same as that of [done]. To be listened to once.
  Stream<SplitEvent> get events => _events.stream;

  /// The completed job. Throws a [JobFailedException] when the job fails, an [AbortedException] after [abort], and any
  /// other [LaminaException] when there is no getting on.
  Future<CompletedJob> get done => _done.future;

  /// Ends it. A job that was made is deleted, so that nothing runs, costs or stays.
  void abort() => _abort.abort();

  Future<void> _start(ImageInput? source, SplitOptions options) async {
    try {
      final job = await _run(source, options);
      _done.complete(job);
    } on Object catch (error, trace) {
      _events.addError(error, trace);
      _done.completeError(error, trace);
    }
    _events.close().ignore();
  }

  Future<CompletedJob> _run(ImageInput? source, SplitOptions options) async {
    final id = _point?.jobId ?? await _create(_point?.request ?? await _send(source, options));
    try {
      await for (final job in _client.watch(id, abort: _abort)) {
        _tell(SplitProgress(job));
        switch (job) {
          case CompletedJob():
            return job;
          case FailedJob():
            throw JobFailedException(job);
          case PendingJob() || ProcessingJob():
        }
      }
    } on AbortedException {
      if (!_abort.isAborted) rethrow;
      await _forget(id);
    }
    throw const AbortedException();
  }

  /// Sends the picture.
  Future<JobRequest> _send(ImageInput? source, SplitOptions options) async {
    if (source == null) throw const SourceException('The picture was still being sent: it is needed again.');
    final Upload upload;
    try {
      upload = await _upload(source, _point?.uploadId);
    } on AbortedException {
      if (_abort.isAborted) await _discard();
      rethrow;
    }
    if (_abort.isAborted) {
      await _discard();
      throw const AbortedException();
    }
    return JobRequest.upload(upload.id, options: options);
  }

  Future<Upload> _upload(ImageInput source, String? resumeId) async {
    try {
      return await _client.upload(
        source,
        method: _method,
        resumeId: resumeId,
        abort: _abort,
        onProgress: (progress) {
          if (progress.resumeId case final id?) _point = SplitPoint.uploading(id);
          // After a cut less is sent than before; what is shown stays.
          _uploaded = max(_uploaded, (progress.fraction ?? 0) * uploadShare);
          _tell(SplitUploading(progress, _uploaded));
        },
      );
    } on NotFoundException {
      // It has expired since, and is sent from its beginning.
      if (resumeId == null) rethrow;
    } on GoneException {
      if (resumeId == null) rethrow;
    }
    return _upload(source, null);
  }

  /// Makes the job. This is not ended half-way: without its answer nobody could delete the job.
  Future<String> _create(JobRequest request) async {
    _point = SplitPoint.sent(request);
    _tell(SplitSent(request));
    final created = await _client.create(request);
    _point = SplitPoint.created(created.id);
    if (_abort.isAborted) await _forget(created.id);
    _tell(SplitCreated(created.id));
    return created.id;
  }

  /// Erases what was sent, as well as the line allows.
  Future<void> _discard() async {
    final id = _point?.uploadId;
    if (id == null) return;
    try {
      await _client.discardUpload(id);
    } on LaminaException {
      // It expires by itself.
    }
  }

  /// Deletes the job as well as the line allows, and ends.
  Future<Never> _forget(String id) async {
    try {
      await _client.delete(id);
    } on LaminaException {
      // It expires by itself.
    }
    throw const AbortedException();
  }

  void _tell(SplitEvent event) {
    if (!_events.isClosed) _events.add(event);
  }
}
