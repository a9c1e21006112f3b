/// A TCP proxy that does to connections what phones' networks do.
library;

import 'dart:async';
import 'dart:convert';
import 'dart:io';
import 'dart:math';

/// Forwards connections to a port of this machine.
final class Proxy {
  Proxy._(this._server, this.target);

  static Future<Proxy> to(int target) async {
    final proxy = Proxy._(await ServerSocket.bind(InternetAddress.loopbackIPv4, 0), target);
    proxy._server.listen(proxy._accept);
    return proxy;
  }

  static final _request = RegExp(r'^[A-Z]{3,7} /\S* HTTP/1\.1\r\n');
  static const _piece = 8 * 1024;

  final ServerSocket _server;
  final Set<Socket> _open = {};

  /// Where to.
  int target;

  /// Every connection is refused.
  bool down = false;

  /// Connections are accepted, and nothing moves.
  bool frozen = false;

  /// Cuts each connection after so many bytes of the client; null for never. Counts down the [cuts] that are left.
  int? cutAfter;
  int cuts = 0;

  /// Cuts each connection after so many bytes of the server, as often as [cutsDown] says.
  int? cutDownAfter;
  int cutsDown = 0;

  /// What happens at the next such cut, before the client sees it.
  Future<void> Function()? onCut;
  int bytesDown = 0;

  /// The answer to the next request that begins with this is swallowed: the server did it, and the client sees a broken connection.
  String? swallowAnswerTo;

  /// Told of the beginning of each request.
  void Function(String head)? onRequest;

  /// Bytes in a second from client to server; null for as fast as it goes.
  int? bytesPerSecond;

  /// The same from server to client.
  int? bytesPerSecondDown;

  /// What was done so far.
  int cutsMade = 0;
  int swallowed = 0;
  int bytesUp = 0;

  int connections = 0;

  /// Whether a client is connected.
  bool get isOpen => _open.isNotEmpty;

  Uri get uri => Uri.parse('http://127.0.0.1:${_server.port}');

  /// The next bytes of a client on a connection over which an answer has come are met by its end: what a server's or a proxy's idle
  /// limit does at the wrong moment.
  bool closesReused = false;
  int reusedClosed = 0;

  final Set<Socket> _stranded = {};

  /// What is open now stays open and silent for ever, as when a phone's address has changed or a NAT has forgotten it. New connections work.
  void strandAll() => _stranded.addAll(_open);

  /// Breaks all connections that are open.
  void cutAll() {
    for (final socket in [..._open]) {
      socket.destroy();
    }
  }

  Future<void> close() async {
    _stranded.clear();
    frozen = false;
    cutAll();
    await _server.close();
  }

  Future<void> _accept(Socket client) async {
    client.done.ignore();
    if (down) return client.destroy();
    _open.add(client);
    connections++;
    final Socket server;
    try {
      server = await Socket.connect(InternetAddress.loopbackIPv4, target);
    } on SocketException {
      _open.remove(client);
      return client.destroy();
    }
    server.done.ignore();
    _open.add(server);
    void end() {
      client.destroy();
      server.destroy();
      _open
        ..remove(client)
        ..remove(server);
    }

    var swallow = false;
    var answered = false;
    Future<void> up() async {
      var seen = 0;
      await for (final chunk in client) {
        await _thaw(client);
        if (closesReused && answered) {
          reusedClosed++;
          return end();
        }
        final head = latin1.decode(chunk.take(200).toList());
        if (_request.hasMatch(head)) onRequest?.call(head);
        if (swallowAnswerTo case final prefix? when head.startsWith(prefix)) {
          swallowAnswerTo = null;
          swallow = true;
        }
        await _pass(chunk, server, bytesPerSecond);
        seen += chunk.length;
        bytesUp += chunk.length;
        if (cutAfter case final limit? when cuts > 0 && seen >= limit) {
          cuts--;
          cutsMade++;
          await server.flush();
          return end();
        }
      }
      // No HTTP client closes one direction alone.
      end();
    }

    Future<void> down_() async {
      var down = 0;
      await for (final chunk in server) {
        await _thaw(server);
        answered = true;
        if (swallow) {
          swallowed++;
          return end();
        }
        final limit = cutDownAfter;
        if (limit != null && cutsDown > 0 && down + chunk.length >= limit) {
          cutsDown--;
          cutsMade++;
          await _pass(chunk.sublist(0, limit - down), client, bytesPerSecondDown);
          await client.flush();
          bytesDown += limit - down;
          final then = onCut;
          onCut = null;
          await then?.call();
          return end();
        }
        down += chunk.length;
        bytesDown += chunk.length;
        await _pass(chunk, client, bytesPerSecondDown);
      }
      await client.close();
    }

    await Future.wait([up().catchError((Object _) => end()), down_().catchError((Object _) => end())]);
    end();
  }

  static Future<void> _pass(List<int> chunk, Socket to, int? rate) async {
    if (rate == null) return to.add(chunk);
    // In small pieces: a system hands over whatever has come, and that may be all of it.
    for (var at = 0; at < chunk.length; at += _piece) {
      final piece = chunk.sublist(at, min(at + _piece, chunk.length));
      await Future<void>.delayed(Duration(microseconds: piece.length * 1000000 ~/ rate));
      to.add(piece);
      await to.flush();
    }
  }

  Future<void> _thaw(Socket socket) async {
    while (frozen || _stranded.contains(socket)) {
      await Future<void>.delayed(const Duration(milliseconds: 20));
    }
  }
}
