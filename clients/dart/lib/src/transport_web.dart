import 'dart:async';
import 'dart:js_interop';
import 'dart:typed_data';

import 'transport.dart';

/// The transport of browsers. [connectTimeout] is theirs to choose.
Transport defaultTransport(Duration connectTimeout) => FetchTransport();

/// HTTP by `fetch`. Answers stream; a body is collected before it is sent, because browsers
/// stream bodies only over HTTP/2. Resumable uploads send parts, so little is held at once.
final class FetchTransport implements Transport {
  @override
  Future<TransportResponse> send(TransportRequest request) async {
    final controller = _AbortController();
    request.abort?.then((_) => controller.abort());
    final body = request.body == null ? null : await _collect(request.body!.open());
    final headers = _Headers();
    request.headers.forEach((name, value) {
      // The browser sets this one by itself and refuses it from a page.
      if (name != 'content-length') headers.append(name, value);
    });
    final _Response response;
    try {
      response = await _fetch(
        request.uri.toString(),
        _RequestInit(
          method: request.method,
          headers: headers,
          body: body?.toJS,
          signal: controller.signal,
          redirect: request.followRedirects ? 'follow' : 'error',
          credentials: 'omit',
          cache: 'no-store',
        ),
      ).toDart;
    } on Object {
      // A page is not told why: no network, a refused redirect and missing CORS look alike.
      throw const TransportException(
        'fetch failed: no connection, or the server does not allow this page\'s origin (CORS_ORIGINS).',
      );
    }
    final names = <String, String>{};
    response.headers.forEach(
      ((JSString value, JSString name, [JSAny? all]) => names[name.toDart.toLowerCase()] = value.toDart).toJS,
    );
    return TransportResponse(response.status, names, _read(response.body));
  }

  static Future<Uint8List> _collect(Stream<List<int>> chunks) async {
    final all = BytesBuilder(copy: false);
    await chunks.forEach(all.add);
    return all.takeBytes();
  }

  static Stream<List<int>> _read(_ReadableStream? stream) async* {
    if (stream == null) return;
    final reader = stream.getReader();
    var ended = false;
    try {
      while (true) {
        final _Chunk chunk;
        try {
          chunk = await reader.read().toDart;
        } on Object {
          throw const TransportException('The connection ended before the answer did.');
        }
        if (chunk.done) {
          ended = true;
          return;
        }
        yield chunk.value!.toDart;
      }
    } finally {
      if (!ended) reader.cancel();
    }
  }

  @override
  void close() {}
}

@JS('fetch')
external JSPromise<_Response> _fetch(String url, _RequestInit init);

extension type _RequestInit._(JSObject _) implements JSObject {
  external factory _RequestInit({
    String method,
    _Headers headers,
    JSUint8Array? body,
    JSObject signal,
    String redirect,
    String credentials,
    String cache,
  });
}

@JS('Headers')
extension type _Headers._(JSObject _) implements JSObject {
  external factory _Headers();
  external void append(String name, String value);
  external void forEach(JSFunction callback);
}

@JS('AbortController')
extension type _AbortController._(JSObject _) implements JSObject {
  external factory _AbortController();
  external JSObject get signal;
  external void abort();
}

extension type _Response._(JSObject _) implements JSObject {
  external int get status;
  external _Headers get headers;
  external _ReadableStream? get body;
}

extension type _ReadableStream._(JSObject _) implements JSObject {
  external _Reader getReader();
}

extension type _Reader._(JSObject _) implements JSObject {
  external JSPromise<_Chunk> read();
  external JSPromise<JSAny?> cancel();
}

extension type _Chunk._(JSObject _) implements JSObject {
  external bool get done;
  external JSUint8Array? get value;
}
