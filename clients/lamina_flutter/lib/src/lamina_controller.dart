import 'dart:async';

import 'package:flutter/widgets.dart';
import 'package:lamina_client/lamina_client.dart';

/// Where a [LaminaController] is.
sealed class LaminaState {
  const LaminaState();
}

/// Nothing was begun.
final class LaminaIdle extends LaminaState {
  /// The beginning.
  const LaminaIdle();
}

/// A picture is on its way to layers.
final class LaminaWorking extends LaminaState {
  /// As far as [fraction].
  const LaminaWorking(this.fraction, {this.job});

  /// 0.0 to 1.0 of the whole way.
  final double fraction;

  /// The job, once it was made and read.
  final Job? job;
}

/// The layers are there.
final class LaminaDone extends LaminaState {
  /// With the completed [job].
  const LaminaDone(this.job);

  /// The job.
  final CompletedJob job;
}

/// It ended without layers.
final class LaminaFailed extends LaminaState {
  /// By [error], whose message is for a person.
  const LaminaFailed(this.error);

  /// Why.
  final LaminaException error;
}

/// Takes one picture to its layers, and tells its listeners where it is.
///
/// Make it above the widget that shows it, so that it survives a rotation. To survive a restart of the app, keep [jobId] (a
/// `RestorableStringN` does) and give it to [resume]. While it exists it tells the client when the app comes back to the foreground.
final class LaminaController extends ChangeNotifier {
  /// A controller that uses [client], and does not close it.
  LaminaController(this.client) {
    _lifecycle = AppLifecycleListener(onResume: client.wake);
  }

  /// The client.
  final LaminaClient client;

  late final AppLifecycleListener _lifecycle;
  LaminaState _state = const LaminaIdle();
  String? _jobId;
  SplitRun? _run;
  StreamSubscription<Object>? _events;
  bool _disposed = false;

  /// Where it is.
  LaminaState get state => _state;

  /// The job, from the moment that it was made.
  String? get jobId => _jobId;

  /// Begins with [picture]. What went on before is ended.
  Future<void> split(ImageInput picture, {SplitOptions options = const SplitOptions()}) async {
    await cancel();
    final run = _run = client.split(picture, options: options);
    _set(const LaminaWorking(0));
    _events = run.events.listen((event) {
      switch (event) {
        case SplitUploading(:final fraction):
          _set(LaminaWorking(fraction));
        case SplitCreated(:final jobId, :final fraction):
          _jobId = jobId;
          _set(LaminaWorking(fraction));
        case SplitProgress(:final job, :final fraction):
          _show(job, fraction);
      }
    }, onError: _fail);
  }

  /// Goes on with the job [id], such as after a restart of the app.
  Future<void> resume(String id) async {
    await cancel();
    _jobId = id;
    _set(const LaminaWorking(SplitRun.uploadShare));
    _events = client
        .watch(id)
        .listen(
          (job) => _show(job, SplitRun.uploadShare + (1 - SplitRun.uploadShare) * job.progress),
          onError: _fail,
        );
  }

  /// Ends what goes on. A job that [split] made and that is not completed is deleted.
  Future<void> cancel() async {
    if (_state is LaminaWorking) _run?.abort();
    _run = null;
    _jobId = null;
    await _events?.cancel();
    _events = null;
    _set(const LaminaIdle());
  }

  void _show(Job job, double fraction) => _set(switch (job) {
    PendingJob() || ProcessingJob() => LaminaWorking(fraction, job: job),
    CompletedJob() => LaminaDone(job),
    FailedJob() => LaminaFailed(JobFailedException(job)),
  });

  void _fail(Object error) {
    if (error is LaminaException && _state is! LaminaFailed) _set(LaminaFailed(error));
  }

  void _set(LaminaState state) {
    if (_disposed) return;
    _state = state;
    notifyListeners();
  }

  @override
  void dispose() {
    _disposed = true;
    // The job goes on at the server: the app may come back for it.
    unawaited(_events?.cancel());
    _lifecycle.dispose();
    super.dispose();
  }
}
