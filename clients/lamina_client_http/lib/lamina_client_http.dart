/// Sends the requests of `lamina_client` by a client of `package:http`.
library;

import 'dart:async';

import 'package:http/http.dart' as http;
import 'package:lamina_client/lamina_client.dart';

/// A [Transport] on a client of `package:http`: `cronet_http`, `cupertino_http`, one with an app's own certificates or logging.
///
/// A client that logs addresses logs the signatures of links with them: leave the queries out.
final class HttpTransport implements Transport {
  /// Sends by [client]. It is closed on [close] unless [closeClient] is false, as for a client that an app shares.
  HttpTransport(this._client, {this.closeClient = true});

  final http.Client _client;

  /// Whether [close] closes the client.
  final bool closeClient;

  @override
  Future<TransportResponse> send(TransportRequest request) async {
    try {
      final response = await _client.send(_Request(request));
      return TransportResponse(
        response.statusCode,
        response.headers,
        response.stream.handleError(
          (Object error) => throw TransportException(_reason(error)),
          test: (error) => error is http.ClientException,
        ),
      );
    } on http.ClientException catch (error) {
      // Whether anything was sent is not told, so it is taken to have been.
      throw TransportException(_reason(error));
    }
  }

  /// The message alone: the exception's text has the address, whose query may be a signature.
  static String _reason(Object error) =>
      error is http.ClientException ? error.message : 'The connection failed.';

  @override
  void close() {
    if (closeClient) _client.close();
  }
}

/// A request whose body is opened when the client asks for it, so that it streams with the client's own pace.
final class _Request extends http.BaseRequest with http.Abortable {
  _Request(this._request) : super(_request.method, _request.uri) {
    headers.addAll(_request.headers);
    followRedirects = _request.followRedirects;
    contentLength = _request.body == null ? 0 : _request.body!.length;
  }

  final TransportRequest _request;

  @override
  Future<void>? get abortTrigger => _request.abort;

  @override
  http.ByteStream finalize() {
    super.finalize();
    return http.ByteStream(_request.body?.open() ?? const Stream.empty());
  }
}
