import 'dart:async';

import 'abort.dart';
import 'exceptions.dart';
import 'source.dart';
import 'transport.dart';
import 'upload.dart';

/// One picture on its way, and how far it is.
final class Sending {
  /// A [source] of [length] bytes.
  Sending(this.source, this.length, this.onProgress, this.abort);

  /// The picture.
  final ImageInput source;

  /// Its bytes; null if that is not known.
  final int? length;

  /// Told how far it is.
  final void Function(UploadProgress) onProgress;

  /// Ends it.
  final AbortTrigger? abort;

  /// The upload, once it was begun in parts.
  String? resumeId;

  /// How often its bytes were read.
  int attempts = 0;
  int _confirmed = 0;
  AbortTrigger? _part;
  bool _interrupted = false;
  final Stopwatch _still = Stopwatch()..start();

  /// How long nothing has been taken of it.
  Duration get stillFor => _still.elapsed;

  /// A trigger that ends the part that begins now.
  AbortTrigger beginPart() {
    _still.reset();
    _interrupted = false;
    return _part = AbortTrigger();
  }

  /// Ends the part that is being sent; the upload goes on.
  void interrupt() {
    _interrupted = true;
    _part?.abort();
  }

  /// Whether [interrupt] ended the part, and not the app the whole.
  bool takeInterruption() {
    final was = _interrupted && !(abort?.isAborted ?? false);
    _interrupted = false;
    return was;
  }

  /// The bytes from [from] to [to] as a body, counted while they are taken.
  RequestBody body(int from, int? to) {
    Stream<List<int>> counted() async* {
      attempts++;
      var sent = from;
      await for (var chunk
          in source.read(from).handleError(_unreadable, test: (error) => error is! LaminaException)) {
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

  /// What an app's stream throws is no matter of the line.
  static Never _unreadable(Object error) =>
      throw SourceException('The picture could not be read to its end (${error.runtimeType}).');

  /// The server has the first [bytes].
  void confirm(int? bytes) {
    _confirmed = resumeId == null ? length ?? bytes ?? 0 : bytes ?? 0;
    _tell(_confirmed);
  }

  /// What a listener throws is its own, and ends no upload.
  void _tell(int sent) {
    _still.reset();
    try {
      onProgress(UploadProgress(sent, _confirmed, length, resumeId: resumeId));
    } on Object catch (error, trace) {
      Zone.current.handleUncaughtError(error, trace);
    }
  }
}
