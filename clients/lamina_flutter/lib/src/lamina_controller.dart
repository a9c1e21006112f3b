import 'dart:async';

import 'package:flutter/widgets.dart';
import 'package:lamina_client/lamina_client.dart';

/// Takes one picture to its layers, and tells its listeners where it is: a [SplitSession] as a [ChangeNotifier].
///
/// Make it above the widget that shows it, so that it survives a rotation; [RestorableLaminaController] survives a restart of the app as well. While it
/// exists it tells the client when the app comes back to the foreground.
final class LaminaController extends ChangeNotifier {
  /// A controller that uses [client], and does not close it.
  LaminaController(this.client) {
    _session = SplitSession(client, onChange: notifyListeners);
    _lifecycle = AppLifecycleListener(onResume: client.wake);
  }

  /// The client.
  final LaminaClient client;

  late final SplitSession _session;
  late final AppLifecycleListener _lifecycle;

  /// Where it is.
  SplitState get state => _session.state;

  /// The job, from the moment that it was made.
  String? get jobId => _session.jobId;

  /// What to keep for [restore]; null when there is nothing to go on with.
  String? get saved => _session.saved;

  /// Begins with [picture]. What went on before is ended.
  Future<void> split(ImageInput picture, {SplitOptions options = const SplitOptions()}) =>
      _session.split(picture, options: options);

  /// Goes on with what [saved] was in another run of the app; [picture] is needed only where it was still being sent.
  Future<void> restore(String saved, {ImageInput? picture, SplitOptions options = const SplitOptions()}) =>
      _session.restore(saved, picture: picture, options: options);

  /// Tries once more after a failure, from where it was.
  Future<void> retry() => _session.retry();

  /// Ends what goes on. A job that is not completed is deleted.
  Future<void> cancel() => _session.cancel();

  @override
  void dispose() {
    _session.dispose();
    _lifecycle.dispose();
    super.dispose();
  }
}

/// A [LaminaController] that the state restoration of Flutter keeps: after the system has ended the app and a person comes back, the job is
/// where it is by then.
///
/// ```dart
/// late final split = RestorableLaminaController(lamina);
///
/// @override
/// void restoreState(RestorationBucket? oldBucket, bool initialRestore) => registerForRestoration(split, 'split');
/// ```
final class RestorableLaminaController extends RestorableChangeNotifier<LaminaController> {
  /// Controllers that use [_client].
  RestorableLaminaController(this._client);

  final LaminaClient _client;

  @override
  LaminaController createDefaultValue() => LaminaController(_client);

  @override
  LaminaController fromPrimitives(Object? data) {
    final controller = LaminaController(_client);
    if (data case final String saved when saved.isNotEmpty) unawaited(controller.restore(saved));
    return controller;
  }

  @override
  Object toPrimitives() => value.saved ?? '';
}
