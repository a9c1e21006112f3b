import 'dart:async';
import 'dart:math';
import 'dart:typed_data';

/// Sends HTTP requests: the one thing the client needs from its surroundings.
///
/// The default uses `dart:io`, and `fetch` on the web. `lamina_client_http` adapts a client of
/// `package:http`; `FakeLamina` answers from memory for widget tests.
///
/// A transport does not retry, does not interpret statuses, and throws [TransportException] for whatever
/// keeps an answer from coming.
abstract interface class Transport {
  /// Sends [request]; completes when the answer's headers are here, before its body is.
  Future<TransportResponse> send(TransportRequest request);

  /// Frees what it holds. Requests that are under way may fail.
  void close();
}

/// A transport that keeps connections open for further requests, and can let go of them.
abstract interface class PooledTransport implements Transport {
  /// Closes connections over which nothing goes. They may have died unnoticed: the app slept, or another request met silence.
  void dropIdle();
}

/// One request.
final class TransportRequest {
  /// Describes a request.
  const TransportRequest(
    this.method,
    this.uri, {
    this.headers = const {},
    this.body,
    this.followRedirects = false,
    this.abort,
  });

  /// The method, in capitals.
  final String method;

  /// The absolute address. Its query may hold a signature: it never belongs in a log or a message.
  final Uri uri;

  /// Headers by lower-case name.
  final Map<String, String> headers;

  /// The body, if there is one.
  final RequestBody? body;

  /// Whether redirects are followed. They are not where a token is sent: it is for one host only.
  final bool followRedirects;

  /// Completes when the request is to be ended, never with an error.
  final Future<void>? abort;
}

/// The body of a request. It is opened once for each time that it is sent.
final class RequestBody {
  /// A body that [open] gives. Without [length] (in bytes) it is sent in chunks.
  const RequestBody(this.open, {this.length, this.repeatable = true});

  /// A body that is in memory.
  factory RequestBody.bytes(List<int> bytes) => RequestBody(() => chunksOf(bytes), length: bytes.length);

  /// Bytes, if known.
  final int? length;

  /// Whether [open] may be called more than once.
  final bool repeatable;

  /// Gives the bytes from the beginning.
  final Stream<List<int>> Function() open;
}

/// How many bytes are handed to the socket at once. Progress moves in such steps.
const int chunkBytes = 64 * 1024;

/// Cuts [bytes] into pieces of [chunkBytes], from [start] to [end], without copying typed data.
Stream<List<int>> chunksOf(List<int> bytes, [int start = 0, int? end]) async* {
  final stop = end ?? bytes.length;
  for (var at = start; at < stop; at += chunkBytes) {
    final to = min(at + chunkBytes, stop);
    yield bytes is Uint8List ? Uint8List.sublistView(bytes, at, to) : bytes.sublist(at, to);
  }
}

/// The beginning of an answer, and its body as it comes.
final class TransportResponse {
  /// An answer with [headers] by lower-case name.
  const TransportResponse(this.status, this.headers, this.body);

  /// The HTTP status.
  final int status;

  /// Headers by lower-case name; several of one name are joined by a comma.
  final Map<String, String> headers;

  /// The body. It is to be listened to, or cancelled, exactly once.
  final Stream<List<int>> body;
}

/// No answer: the connection could not be made, or it ended.
final class TransportException implements Exception {
  /// Says why in [message], which never holds a query or a header.
  const TransportException(this.message, {this.neverSent = false});

  /// Why, for a person.
  final String message;

  /// Whether it is certain that the server got nothing of the request.
  final bool neverSent;

  @override
  String toString() => 'TransportException: $message';
}
