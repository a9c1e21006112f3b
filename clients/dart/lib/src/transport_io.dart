import 'dart:async';
import 'dart:io';

import 'transport.dart';

/// The transport of every platform with `dart:io`.
Transport defaultTransport(Duration connectTimeout) => IoTransport(
  () => HttpClient()
    ..connectionTimeout = connectTimeout
    // Shorter than servers keep one open (lamina: 10 s), or a request meets a connection that is being closed.
    ..idleTimeout = const Duration(seconds: 5)
    ..userAgent = null,
);

/// HTTP by `dart:io`, streaming in both directions.
final class IoTransport implements PooledTransport {
  /// Uses a client that [_make] makes, and closes it on [close].
  IoTransport(this._make) : _client = _make();

  final HttpClient Function() _make;
  HttpClient _client;
  bool _closed = false;

  /// Clients that were replaced, and since when: what was under way by them goes on, also if it was connecting only, which closing one would end.
  final List<(HttpClient, Stopwatch)> _replaced = [];

  /// After this time nothing is connecting any more.
  static const _settled = Duration(minutes: 2);

  /// How long an answer may still come after the connection refused more of the body: a server that
  /// refuses a body (413, 401) answers and closes, and its answer says more than a broken pipe.
  static const _lastWord = Duration(milliseconds: 500);

  @override
  Future<TransportResponse> send(TransportRequest request) async {
    HttpClientRequest? out;
    var aborted = false;
    request.abort?.then((_) {
      aborted = true;
      out?.abort();
    });
    try {
      final HttpClientRequest opened;
      try {
        opened = out = await _client.openUrl(request.method, request.uri);
      } on IOException catch (error) {
        throw TransportException(_reason(error), neverSent: true);
      }
      if (aborted) {
        opened.abort();
        throw const TransportException('The request was ended.', neverSent: true);
      }
      opened.followRedirects = request.followRedirects;
      request.headers.forEach(opened.headers.set);
      final body = request.body;
      opened.contentLength = body == null ? 0 : body.length ?? -1;
      return _answer(await (body == null ? opened.close() : _exchange(opened, body)));
    } on IOException catch (error) {
      throw TransportException(_reason(error));
    } on StateError {
      // The socket was closed under the request, or an answer has no valid status.
      throw const TransportException('The connection was closed.');
    }
  }

  /// Sends the body and takes an answer whenever it comes, also before the body is through.
  Future<HttpClientResponse> _exchange(HttpClientRequest out, RequestBody body) {
    final answer = Completer<HttpClientResponse>();
    out.done.then((response) {
      if (!answer.isCompleted) answer.complete(response);
    }, onError: (Object _) {});
    Future<void> write() async {
      try {
        await out.addStream(body.open());
        final response = await out.close();
        if (!answer.isCompleted) answer.complete(response);
      } on Object catch (error, trace) {
        Timer(_lastWord, () {
          out.abort();
          if (!answer.isCompleted) answer.completeError(error, trace);
        });
      }
    }

    write();
    return answer.future;
  }

  TransportResponse _answer(HttpClientResponse response) {
    final headers = <String, String>{};
    response.headers.forEach((name, values) => headers[name] = values.join(', '));
    final body = response.handleError(
      (Object error) => throw TransportException(_reason(error as IOException)),
      test: (error) => error is IOException,
    );
    return TransportResponse(response.statusCode, headers, body);
  }

  /// The reason without the address, whose query may be a signature.
  static String _reason(IOException error) => switch (error) {
    HandshakeException() => 'The TLS handshake failed: the certificate or the protocol was not accepted.',
    SocketException(:final message, :final osError) => osError?.message ?? message,
    HttpException(:final message) => message,
    _ => 'The connection failed.',
  };

  @override
  void dropIdle() {
    if (_closed) return;
    while (_replaced.isNotEmpty && _replaced.first.$2.elapsed > _settled) {
      _replaced.removeAt(0).$1.close();
    }
    // What it keeps idle is closed by its own idle time.
    _replaced.add((_client, Stopwatch()..start()));
    _client = _make();
  }

  @override
  void close() {
    _closed = true;
    _client.close(force: true);
    for (final (client, _) in _replaced) {
      client.close(force: true);
    }
  }
}
