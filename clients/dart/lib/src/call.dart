import 'abort.dart';
import 'transport.dart';

/// One request to the API or by a link, as the parts of the client describe it.
final class Call {
  /// Describes a call.
  const Call(
    this.method,
    this.uri, {
    this.headers = const {},
    this.body,
    this.safe = false,
    this.byLink = false,
    this.extraWait = Duration.zero,
    this.answerWithin,
    this.firstWithin,
    this.abort,
  });

  /// The method, in capitals.
  final String method;

  /// The absolute address.
  final Uri uri;

  /// Headers by lower-case name, beside the token.
  final Map<String, String> headers;

  /// The body.
  final RequestBody? body;

  /// Whether it may be made again when nobody knows whether the server took it.
  final bool safe;

  /// Whether [uri] is a signed link: no token is sent, and redirects are followed.
  final bool byLink;

  /// How much longer than usual the server may take: the wait of a long poll.
  final Duration extraWait;

  /// How long the answer may take to begin, in place of the usual time and [extraWait].
  final Duration? answerWithin;

  /// How long the first piece of the answer's body may take, in place of the usual time and [extraWait].
  final Duration? firstWithin;

  /// Ends the call.
  final AbortTrigger? abort;

  /// The same, ended by [trigger], with further [headers].
  Call endedBy(AbortTrigger trigger, {Map<String, String> headers = const {}}) => Call(
    method,
    uri,
    headers: {...this.headers, ...headers},
    body: body,
    safe: safe,
    byLink: byLink,
    extraWait: extraWait,
    answerWithin: answerWithin,
    firstWithin: firstWithin,
    abort: trigger,
  );
}
