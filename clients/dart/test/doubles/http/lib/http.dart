/// A double of `package:http` 1.5, as far as `lamina_client_http` uses it.
library;

import 'dart:async';
import 'dart:collection';

import 'io_client.dart';

/// What a client throws when the line fails, and when it is asked after its end.
class ClientException implements Exception {
  ClientException(this.message, [this.uri]);

  final String message;
  final Uri? uri;

  @override
  String toString() => uri == null ? 'ClientException: $message' : 'ClientException: $message, uri=$uri';
}

/// What a request ends with whose trigger has completed.
class RequestAbortedException extends ClientException {
  RequestAbortedException([Uri? uri]) : super('Request aborted by `abortTrigger`', uri);
}

/// A request that can be ended early.
abstract mixin class Abortable implements BaseRequest {
  abstract final Future<void>? abortTrigger;
}

abstract class BaseRequest {
  BaseRequest(this.method, this.url)
    : headers = LinkedHashMap(
        equals: (a, b) => a.toLowerCase() == b.toLowerCase(),
        hashCode: (name) => name.toLowerCase().hashCode,
      );

  final String method;
  final Uri url;
  final Map<String, String> headers;

  int? _contentLength;
  bool _persistentConnection = true;
  bool _followRedirects = true;
  int _maxRedirects = 5;
  bool _finalized = false;

  bool get finalized => _finalized;

  int? get contentLength => _contentLength;
  set contentLength(int? value) {
    if (value != null && value < 0) throw ArgumentError('Invalid content length $value.');
    _change(() => _contentLength = value);
  }

  bool get persistentConnection => _persistentConnection;
  set persistentConnection(bool value) => _change(() => _persistentConnection = value);

  bool get followRedirects => _followRedirects;
  set followRedirects(bool value) => _change(() => _followRedirects = value);

  int get maxRedirects => _maxRedirects;
  set maxRedirects(int value) => _change(() => _maxRedirects = value);

  /// Freezes the request and gives its body, once. Those that override it call it.
  ByteStream finalize() {
    if (_finalized) throw StateError("Can't finalize a finalized Request.");
    _finalized = true;
    return const ByteStream(Stream.empty());
  }

  void _change(void Function() change) {
    if (_finalized) throw StateError("Can't modify a finalized Request.");
    change();
  }
}

final class ByteStream extends StreamView<List<int>> {
  const ByteStream(super.stream);
}

abstract class BaseResponse {
  BaseResponse(this.statusCode, {this.contentLength, this.request, this.headers = const {}});

  final int statusCode;
  final int? contentLength;
  final BaseRequest? request;
  final Map<String, String> headers;
}

class StreamedResponse extends BaseResponse {
  StreamedResponse(
    Stream<List<int>> stream,
    super.statusCode, {
    super.contentLength,
    super.request,
    super.headers,
  }) : stream = ByteStream(stream);

  final ByteStream stream;
}

abstract interface class Client {
  factory Client() => IOClient();

  Future<StreamedResponse> send(BaseRequest request);

  void close();
}

abstract mixin class BaseClient implements Client {
  @override
  void close() {}
}
