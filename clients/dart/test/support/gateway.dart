/// An HTTP proxy between client and server, or between the server and fal, as hosters, companies and hotels have them: it collects
/// answers, refuses event streams, closes connections that are kept open, answers in the server's place, changes bodies.
library;

import 'dart:async';
import 'dart:convert';
import 'dart:io';

/// What is done with one request in the server's place; false where it goes on to the server.
typedef Answers = FutureOr<bool> Function(HttpRequest request);

/// Another answer for the server's.
typedef Changes =
    FutureOr<List<int>> Function(HttpRequest request, HttpClientResponse answer, List<int> body);

/// Passes requests on to a port of this machine.
final class Gateway {
  Gateway._(this._server, this.target);

  static Future<Gateway> to(int target) async {
    final gateway = Gateway._(await HttpServer.bind(InternetAddress.loopbackIPv4, 0), target);
    gateway._server
      ..autoCompress = false
      ..listen(gateway._serve);
    return gateway;
  }

  final HttpServer _server;
  final HttpClient _client = HttpClient()..autoUncompress = false;

  /// Where to.
  final int target;

  /// Methods and paths with query, in the order in which they came.
  final List<String> requests = [];

  /// Names of the headers of all requests, and of all answers.
  final Set<String> sentHeaders = {};
  final Set<String> answeredHeaders = {};

  /// Answers before the server does.
  Answers? answers;

  /// Collects the answers to these and changes them. Others are passed on as they come.
  bool Function(HttpRequest request)? collects;
  Changes? changes;

  /// Headers of an answer are sent at once, and its body only at its end, for requests that [collects] names.
  bool headersFirst = false;

  Uri get uri => Uri.parse('http://127.0.0.1:${_server.port}');

  /// Requests whose line holds [part].
  Iterable<String> asked(String part) => requests.where((request) => request.contains(part));

  Future<void> close() async {
    _client.close(force: true);
    await _server.close(force: true);
  }

  Future<void> _serve(HttpRequest request) async {
    requests.add('${request.method} ${request.uri}');
    request.headers.forEach((name, _) => sentHeaders.add(name));
    final response = request.response;
    response.done.ignore();
    try {
      if (await answers?.call(request) ?? false) return;
      final out = await _client.openUrl(request.method, Uri.parse('http://127.0.0.1:$target${request.uri}'));
      out.followRedirects = false;
      request.headers.forEach((name, values) {
        if (!_own.contains(name)) out.headers.set(name, values);
      });
      // The server names links after the host that it was asked under.
      out.headers.set('host', request.headers.value('host')!);
      out.contentLength = request.contentLength;
      await out.addStream(request);
      final answer = await out.close();
      response.statusCode = answer.statusCode;
      answer.headers.forEach((name, values) {
        answeredHeaders.add(name);
        if (!_own.contains(name)) response.headers.set(name, values);
      });
      response.bufferOutput = false;
      if (collects?.call(request) ?? false) {
        if (headersFirst) return await _bodyLast(response, answer);
        final body = await answer.fold(<int>[], (all, chunk) => all..addAll(chunk));
        response.add(await changes?.call(request, answer, body) ?? body);
      } else {
        if (answer.contentLength >= 0) response.contentLength = answer.contentLength;
        await response.addStream(answer);
      }
      await response.close();
    } on Object {
      // One of both went away: so does the other.
      try {
        (await response.detachSocket(writeHeaders: false)).destroy();
      } on Object {
        // It is gone already.
      }
    }
  }

  Future<void> _bodyLast(HttpResponse response, HttpClientResponse answer) async {
    final socket = await response.detachSocket(writeHeaders: false);
    socket.done.ignore();
    final type = answer.headers.value('content-type');
    socket.write('HTTP/1.1 ${answer.statusCode} OK\r\ncontent-type: $type\r\nconnection: close\r\n\r\n');
    await socket.flush();
    socket.add(await answer.fold(<int>[], (all, chunk) => all..addAll(chunk)));
    await socket.close();
  }

  static const _own = ['host', 'connection', 'transfer-encoding', 'content-length', 'keep-alive'];
}

/// Answers [request] as a proxy does that speaks for itself.
bool page(HttpRequest request, int status, {String body = '<html>proxy</html>', String type = 'text/html'}) {
  request.response
    ..statusCode = status
    ..headers.set('content-type', type)
    ..write(body)
    ..close();
  return true;
}

/// fal as it is, whose runs do not end before [open] is called: what a test wants to happen meanwhile happens meanwhile.
final class HeldFal {
  HeldFal._(this._gateway);

  static Future<HeldFal> to(int emulator) async {
    final gateway = await Gateway.to(emulator);
    final held = HeldFal._(gateway);
    gateway
      ..collects = ((request) => request.uri.path.endsWith('/status'))
      ..changes = (request, answer, body) {
        if (held._open || answer.statusCode >= 300) return body;
        final status = json.decode(utf8.decode(body)) as Map<String, Object?>;
        if (status['status'] != 'COMPLETED') return body;
        held.readings++;
        answer.headers;
        return utf8.encode(json.encode({...status, 'status': 'IN_PROGRESS'}));
      };
    return held;
  }

  final Gateway _gateway;
  bool _open = false;

  /// How often a run that has ended was said to go on.
  int readings = 0;

  /// Lets all runs end.
  void open() => _open = true;

  /// What a server needs to use it, on top of the emulator's own.
  Map<String, String> get environment => {
    'FAL_QUEUE_URL': '${_gateway.uri}',
    'FAL_REST_URL': '${_gateway.uri}',
    'FAL_PLATFORM_URL': '${_gateway.uri}/v1',
  };

  Future<void> close() => _gateway.close();
}
