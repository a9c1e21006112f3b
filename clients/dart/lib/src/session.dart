import 'dart:async';
import 'dart:convert';

import 'client.dart';
import 'exceptions.dart';
import 'job.dart';
import 'request.dart';
import 'source.dart';
import 'split.dart';
import 'split_point.dart';

/// Where a [SplitSession] is.
sealed class SplitState {
  /// What all states are.
  const SplitState();
}

/// Nothing was begun.
final class SplitIdle extends SplitState {
  /// The beginning.
  const SplitIdle();
}

/// A picture is on its way to layers.
final class SplitWorking extends SplitState {
  /// As far as [fraction].
  const SplitWorking(this.fraction, {this.job});

  /// 0.0 to 1.0 of the whole way; it never falls.
  final double fraction;

  /// The job, once it was made and read.
  final Job? job;
}

/// The layers are there.
final class SplitDone extends SplitState {
  /// With the completed [job].
  const SplitDone(this.job);

  /// The job.
  final CompletedJob job;
}

/// It ended without layers.
final class SplitFailed extends SplitState {
  /// By [error], whose message is for a person.
  const SplitFailed(this.error);

  /// Why. Where it says [LaminaException.canRetry], [SplitSession.retry] goes on from where it was.
  final LaminaException error;
}

/// One place of an app in which a picture becomes layers: what is shown of it, what is kept of it, and what a person can do. Widgets, view models and
/// blocs stand on it; it knows none of them.
final class SplitSession {
  /// A session that uses [client], and does not close it. [onChange] is called whenever [state] or [saved] has changed.
  SplitSession(this.client, {void Function()? onChange}) : _onChange = onChange;

  /// The client.
  final LaminaClient client;

  final void Function()? _onChange;
  SplitState _state = const SplitIdle();
  SplitRun? _run;
  SplitPoint? _point;
  ImageInput? _picture;
  SplitOptions _options = const SplitOptions();
  StreamSubscription<SplitEvent>? _events;
  bool _disposed = false;

  /// Where it is.
  SplitState get state => _state;

  /// The job, from the moment that it was made.
  String? get jobId => _point?.jobId;

  /// What to keep, so that another run of the app can [restore] it; null when there is nothing to go on with. It holds no picture, no token and no
  /// signature.
  String? get saved => _point == null ? null : json.encode(_point!.toJson());

  /// Begins with [picture]. What went on before is ended.
  Future<void> split(ImageInput picture, {SplitOptions options = const SplitOptions()}) async {
    await cancel();
    _picture = picture;
    _options = options;
    _follow(client.split(picture, options: options));
  }

  /// Goes on with what [saved] was in another run of the app. [picture] and [options] are needed only where the picture was still being sent: without
  /// the picture such a one is given up. What cannot be read is as if nothing was saved.
  Future<void> restore(
    String saved, {
    ImageInput? picture,
    SplitOptions options = const SplitOptions(),
  }) async {
    await cancel();
    final SplitPoint point;
    try {
      final decoded = json.decode(saved);
      if (decoded is! Map<String, Object?>) return;
      point = SplitPoint.fromJson(decoded);
    } on FormatException {
      return;
    }
    _picture = picture;
    _options = options;
    if (point.needsPicture && picture == null) {
      return client.discardUpload(point.uploadId!).catchError((Object _) {});
    }
    _follow(client.resumeSplit(point, source: picture, options: options));
  }

  /// Tries once more after a failure, from where it was: what was sent is not sent again, and what was made is not made twice. A job that itself failed
  /// is made anew, of the same picture.
  Future<void> retry() async {
    final failed = _state;
    if (failed is! SplitFailed) return;
    final point = failed.error is JobFailedException ? null : _point;
    final picture = _picture;
    await _events?.cancel();
    if (point != null) {
      _follow(client.resumeSplit(point, source: picture, options: _options));
    } else if (picture != null) {
      _point = null;
      _follow(client.split(picture, options: _options));
    }
  }

  /// Ends what goes on, and forgets it. A job that is not completed is deleted.
  Future<void> cancel() async {
    if (_state is SplitWorking) _run?.abort();
    _run = null;
    _point = null;
    _picture = null;
    await _events?.cancel();
    _events = null;
    if (_state is! SplitIdle) _set(const SplitIdle());
  }

  /// Tells nothing any more. A job goes on at the server, and the app may come back for it by [saved].
  void dispose() {
    _disposed = true;
    _events?.cancel().ignore();
  }

  void _follow(SplitRun run) {
    _run = run;
    _point = run.point;
    _set(SplitWorking(run.point?.jobId == null ? 0 : SplitRun.uploadShare));
    _events = run.events.listen(
      (event) {
        _point = run.point;
        _set(switch (event) {
          SplitProgress(job: final CompletedJob job) => SplitDone(job),
          SplitProgress(job: final FailedJob job) => SplitFailed(JobFailedException(job)),
          SplitProgress(:final job) => SplitWorking(event.fraction, job: job),
          SplitUploading() || SplitSent() || SplitCreated() => SplitWorking(event.fraction),
        });
      },
      onError: (Object error) {
        // A failed job was shown as that already.
        if (error is! LaminaException || _state is SplitFailed) return;
        if (error is GoneException || error is NotFoundException) _point = null;
        _set(SplitFailed(error));
      },
    );
  }

  void _set(SplitState state) {
    if (_disposed) return;
    _state = state;
    _onChange?.call();
  }
}
