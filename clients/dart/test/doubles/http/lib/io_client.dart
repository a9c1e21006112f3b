/// The client of `package:http` on `dart:io`, in its manners: one `pipe` for the body, errors of the socket as a `ClientException`
/// before the answer and as they are within it, an aborted request that fails before the answer and ends the body after it.
library;

import 'dart:async';
import 'dart:io';

import 'http.dart';

class IOClient extends BaseClient {
  IOClient([HttpClient? inner]) : _inner = inner ?? HttpClient();

  HttpClient? _inner;

  @override
  Future<StreamedResponse> send(BaseRequest request) async {
    final inner = _inner;
    if (inner == null) {
      throw ClientException('HTTP request failed. Client is already closed.', request.url);
    }
    final body = request.finalize();
    final trigger = request is Abortable ? request.abortTrigger : null;
    try {
      final out = await inner.openUrl(request.method, request.url);
      out
        ..followRedirects = request.followRedirects
        ..maxRedirects = request.maxRedirects
        ..contentLength = request.contentLength ?? -1
        ..persistentConnection = request.persistentConnection;
      request.headers.forEach(out.headers.set);
      var answered = false;
      trigger?.whenComplete(() {
        if (!answered) out.abort(RequestAbortedException(request.url));
      });
      final response = await body.pipe(out) as HttpClientResponse;
      answered = true;
      final headers = <String, String>{};
      response.headers.forEach((name, values) => headers[name] = values.join(','));
      return StreamedResponse(
        _body(request, response, trigger),
        response.statusCode,
        contentLength: response.contentLength < 0 ? null : response.contentLength,
        request: request,
        headers: headers,
      );
    } on SocketException catch (error) {
      throw _SocketClientException(error, request.url);
    } on HttpException catch (error) {
      throw ClientException(error.message, error.uri);
    }
  }

  Stream<List<int>> _body(BaseRequest request, HttpClientResponse response, Future<void>? trigger) {
    StreamSubscription<List<int>>? source;
    final out = StreamController<List<int>>(sync: true);
    out
      ..onListen = () {
        source = response.listen(
          out.add,
          onError: (Object error, StackTrace trace) =>
              out.addError(error is HttpException ? ClientException(error.message, error.uri) : error, trace),
          onDone: out.close,
        );
      }
      ..onPause = (() => source?.pause())
      ..onResume = (() => source?.resume())
      ..onCancel = (() => source?.cancel());
    trigger?.whenComplete(() async {
      if (out.isClosed) return;
      out.addError(RequestAbortedException(request.url));
      // As reported of 1.5: a body that nobody listens to is not taken off the line.
      await source?.cancel();
      await out.close();
    });
    return out.stream;
  }

  @override
  void close() {
    _inner?.close(force: true);
    _inner = null;
  }
}

/// Both at once, as there.
class _SocketClientException extends ClientException implements SocketException {
  _SocketClientException(this.cause, Uri uri) : super(cause.message, uri);

  final SocketException cause;

  @override
  InternetAddress? get address => cause.address;
  @override
  OSError? get osError => cause.osError;
  @override
  int? get port => cause.port;
}
