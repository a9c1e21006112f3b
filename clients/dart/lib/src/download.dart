import 'dart:async';

import 'abort.dart';
import 'answer.dart';
import 'call.dart';
import 'caller.dart';
import 'exceptions.dart';

/// A file as it comes. Where the server can send a part of it, a body that breaks goes on where it broke; elsewhere that is an error, as half of it was
/// given on. Whoever stops listening ends the call, wherever it is.
final class Download {
  /// What [_call] is answered with.
  Download(this._caller, this._call) {
    _out
      ..onListen = _begin
      ..onPause = (() => _source?.pause())
      ..onResume = (() => _source?.resume())
      ..onCancel = _cancel;
  }

  final Caller _caller;
  final Call _call;
  final AbortTrigger _trigger = AbortTrigger();
  final StreamController<List<int>> _out = StreamController(sync: true);
  StreamSubscription<List<int>>? _source;
  void Function()? _unlink;

  /// Bytes that were given on, and what names the file that they are of; null where no part of it can be asked for.
  int _given = 0;
  String? _tag;

  /// Cuts in a row without a byte between them.
  int _cuts = 0;

  /// The file.
  Stream<List<int>> get stream => _out.stream;

  Future<void> _begin() async {
    _unlink = _call.abort?.listen(_trigger.abort);
    try {
      final answer = await _caller.run(_call.endedBy(_trigger), (answer) async => answer);
      _tag = _tagOf(answer);
      _take(answer);
    } on Object catch (error, trace) {
      _fail(error, trace);
    }
  }

  /// What names the file for certain, if its parts can be asked for. A compressed body counts other bytes than those that are given on.
  String? _tagOf(Answer answer) {
    final tag = answer.headers['etag'];
    final whole = _call.method == 'GET' && answer.status == 200;
    final parts = answer.headers['accept-ranges'] == 'bytes' && answer.headers['content-encoding'] == null;
    return whole && parts && tag != null && tag.startsWith('"') ? tag : null;
  }

  void _take(Answer answer) {
    final source = answer.body.listen(
      (chunk) {
        _given += chunk.length;
        _cuts = 0;
        _out.add(chunk);
      },
      onError: _broken,
      onDone: _out.close,
      cancelOnError: true,
    );
    _source = source;
    if (_out.isPaused) source.pause();
  }

  Future<void> _broken(Object error, StackTrace trace) async {
    final lineFailed = error is ConnectionException || error is LaminaTimeoutException;
    if (_tag == null || !lineFailed || ++_cuts >= _caller.retries.attempts) return _fail(error, trace);
    try {
      await _caller.sleep(_caller.retries.backoff(_cuts, _caller.random), _trigger);
      final answer = await _caller.run(
        _call.endedBy(_trigger, headers: {'range': 'bytes=$_given-', 'if-range': _tag!}),
        (answer) async => answer,
      );
      if (answer.status != 206 || !(answer.headers['content-range'] ?? '').startsWith('bytes $_given-')) {
        await answer.discard();
        throw const MalformedAnswerException('The file is another one than the one that was begun.');
      }
      _take(answer);
    } on Object catch (error, trace) {
      _fail(error, trace);
    }
  }

  void _fail(Object error, StackTrace trace) {
    _unlink?.call();
    if (_out.isClosed) return;
    if (_out.hasListener) _out.addError(error, trace);
    _out.close().ignore();
  }

  Future<void>? _cancel() {
    _unlink?.call();
    _trigger.abort();
    return _source?.cancel();
  }
}
