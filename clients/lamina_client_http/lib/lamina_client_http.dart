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
    final out = _Request(request);
    try {
      final response = await _client.send(out);
      return TransportResponse(
        response.statusCode,
        // Most clients give them so, and nothing promises it.
        {for (final MapEntry(:key, :value) in response.headers.entries) key.toLowerCase(): value},
        response.stream.handleError((Object error) => throw TransportException(_reason(error))),
      );
    } on Object catch (error) {
      // What the app's picture threw is no matter of the line, however the client wraps it.
      if (out.bodyError case final thrown?) throw thrown;
      // Whether anything was sent is not told, so it is taken to have been.
      throw TransportException(_reason(error));
    }
  }

  /// The message alone, and no query: the exception's text has the address, whose query may be a signature.
  static String _reason(Object error) => error is http.ClientException
      ? error.message.replaceAll(RegExp(r'\?\S+'), '?…')
      : 'The connection failed (${error.runtimeType}).';

  @override
  void close() {
    if (closeClient) _client.close();
  }
}

/// A request whose body is opened when the client asks for it, so that it streams at the client's own pace.
final class _Request extends http.BaseRequest with http.Abortable {
  _Request(this._request) : super(_request.method, _request.uri) {
    headers.addAll(_request.headers);
    followRedirects = _request.followRedirects;
    contentLength = _request.body == null ? 0 : _request.body!.length;
  }

  final TransportRequest _request;

  /// What the body threw while it was sent.
  Exception? bodyError;

  @override
  Future<void>? get abortTrigger => _request.abort;

  @override
  http.ByteStream finalize() {
    super.finalize();
    final body = _request.body?.open() ?? const Stream<List<int>>.empty();
    return http.ByteStream(
      body.handleError((Object error) {
        if (error is Exception) bodyError = error;
        // ignore: only_throw_errors, it is what the body threw.
        throw error;
      }),
    );
  }
}
