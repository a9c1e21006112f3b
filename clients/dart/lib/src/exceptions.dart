import 'codes.dart';
import 'job.dart';

/// Whatever keeps a call of the client from giving its result.
///
/// The classes are few and closed, so a `switch` over them needs no default; the exact reason of a refusal is
/// [ProblemException.code]. No message holds a token or the signature of a link.
sealed class LaminaException implements Exception {
  /// What all exceptions are.
  const LaminaException();

  /// What happened and what to do, for a person.
  String get message;

  /// Whether the same call may succeed later without a change. The client has made its own attempts before.
  bool get canRetry;

  /// How long the server asks to wait, if it said so.
  Duration? get retryAfter => null;

  @override
  String toString() => '$runtimeType: $message';
}

/// The server refused the request, with a stable [code].
sealed class ProblemException extends LaminaException {
  const ProblemException._(this.problem);

  /// The exception for [problem], by its status.
  factory ProblemException.of(Problem problem) => switch (problem) {
    Problem(code: final code) when code.startsWith('image_') => PictureRefusedException(problem),
    Problem(status: 413) => PictureRefusedException(problem),
    Problem(status: 401) => UnauthorizedException(problem),
    Problem(status: 403 || 421) => ForbiddenException(problem),
    Problem(status: 404) || Problem(code: 'upload_not_found') => NotFoundException(problem),
    Problem(status: 409 || 412) => ConflictException(problem),
    Problem(status: 410) => GoneException(problem),
    Problem(status: 402 || 429 || 507) => LimitReachedException(problem),
    Problem(status: 408 || 460) || Problem(status: >= 500) => ServerException(problem),
    _ => InvalidRequestException(problem),
  };

  /// The answer.
  final Problem problem;

  /// The stable word for programs; empty where the answer was not lamina's, such as a proxy's.
  ProblemCode get code => problem.code;

  /// The HTTP status.
  int get status => problem.status;

  @override
  String get message => problem.detail;

  @override
  Duration? get retryAfter => problem.retryAfter;

  @override
  bool get canRetry => false;

  @override
  String toString() {
    final id = problem.requestId;
    return '$runtimeType: ${code.isEmpty ? 'HTTP $status' : code}: $message${id == null ? '' : ' (request $id)'}';
  }
}

/// A mistake of the calling program: wrong fields, headers or methods (400, 405, 415, 416, 422).
final class InvalidRequestException extends ProblemException {
  /// The exception for [problem].
  const InvalidRequestException(super.problem) : super._();

  /// Each wrong field; empty where no field is.
  List<FieldError> get fields => problem.errors;
}

/// The picture cannot be used: too large, unknown format, damaged (413, 415, 422). Tell the person who chose it.
final class PictureRefusedException extends ProblemException {
  /// The exception for [problem].
  const PictureRefusedException(super.problem) : super._();
}

/// No token, or one that the server does not take, also after it was renewed once (401).
final class UnauthorizedException extends ProblemException {
  /// The exception for [problem].
  const UnauthorizedException(super.problem) : super._();
}

/// This token, page, host name or link may not do that (403, 421).
final class ForbiddenException extends ProblemException {
  /// The exception for [problem].
  const ForbiddenException(super.problem) : super._();
}

/// No such job or upload, or somebody else's (404).
final class NotFoundException extends ProblemException {
  /// The exception for [problem].
  const NotFoundException(super.problem) : super._();
}

/// The job or upload is not in a state for that (409, 412).
final class ConflictException extends ProblemException {
  /// The exception for [problem].
  const ConflictException(super.problem) : super._();

  @override
  bool get canRetry => retryAfter != null || code == ProblemCode.uploadPending;
}

/// The job, its files or a link were deleted or have expired (410).
final class GoneException extends ProblemException {
  /// The exception for [problem].
  const GoneException(super.problem) : super._();
}

/// A limit of rate, jobs at once, spending or stored bytes (402, 429, 507); [retryAfter] says when it is over, where that is known.
final class LimitReachedException extends ProblemException {
  /// The exception for [problem].
  const LimitReachedException(super.problem) : super._();

  @override
  bool get canRetry => true;
}

/// The server is in trouble, or the line too slow for it (408, 5xx).
final class ServerException extends ProblemException {
  /// The exception for [problem].
  const ServerException(super.problem) : super._();

  @override
  bool get canRetry => code != ProblemCode.internalError && code != ProblemCode.storageRefused;
}

/// The job came to its end without layers.
final class JobFailedException extends LaminaException {
  /// The exception for [job].
  const JobFailedException(this.job);

  /// The job, with its [FailedJob.code].
  final FailedJob job;

  @override
  String get message => job.error;

  @override
  bool get canRetry => job.worthCreatingAgain;

  @override
  String toString() => 'JobFailedException: ${job.code}: $message (job ${job.id})';
}

/// No connection, or one that broke.
final class ConnectionException extends LaminaException {
  /// An exception with a [message] for a person.
  const ConnectionException(this.message, {this.neverSent = false});

  @override
  final String message;

  /// Whether it is certain that the server got nothing.
  final bool neverSent;

  @override
  bool get canRetry => true;
}

/// A time-out of the client passed.
final class LaminaTimeoutException extends LaminaException {
  /// An exception with a [message] that says what was waited for.
  const LaminaTimeoutException(this.message);

  @override
  final String message;

  @override
  bool get canRetry => true;
}

/// The app's `TokenProvider` threw: its backend cannot be reached, or the person is signed out.
final class TokenException extends LaminaException {
  /// An exception for what was thrown.
  const TokenException(this.cause);

  /// What the provider threw. It is the app's own and may say too much, so no message has it.
  final Object cause;

  @override
  String get message => 'The app gave no token (${cause.runtimeType}).';

  @override
  bool get canRetry => true;
}

/// The app ended the call, or closed the client.
final class AbortedException extends LaminaException {
  /// The exception.
  const AbortedException();

  @override
  String get message => 'The call was ended by the app.';

  @override
  bool get canRetry => false;
}

/// An answer that is not lamina's: a captive portal's page, a proxy's, or another server's.
final class MalformedAnswerException extends LaminaException {
  /// An exception that says what was wrong, without the answer's content.
  const MalformedAnswerException(this.message);

  @override
  final String message;

  @override
  bool get canRetry => true;
}

/// The server does not have this feature: it is older than the client.
final class NotSupportedException extends LaminaException {
  /// An exception that names the feature.
  const NotSupportedException(this.message);

  @override
  final String message;

  @override
  bool get canRetry => false;
}

/// The picture could not be read on this side, or cannot be read a second time.
final class SourceException extends LaminaException {
  /// An exception with a [message] for a person.
  const SourceException(this.message);

  @override
  final String message;

  @override
  bool get canRetry => false;
}

/// An error as the server answers it (RFC 9457).
final class Problem {
  /// A problem.
  const Problem({
    required this.status,
    required this.code,
    required this.detail,
    this.errors = const [],
    this.retryAfter,
    this.requestId,
  });

  /// Reads a problem's [json]; fields that are missing or of another type are left empty.
  factory Problem.fromJson(
    Map<String, Object?> json, {
    required int status,
    Duration? retryAfter,
    String? requestId,
  }) => Problem(
    status: status,
    code: ProblemCode(json['code'] is String ? json['code']! as String : ''),
    detail: switch (json['detail'] ?? json['title']) {
      final String text => text,
      _ => 'The server answered $status.',
    },
    errors: [
      if (json['errors'] case final List<Object?> errors)
        for (final error in errors)
          if (error case {'pointer': final String pointer, 'detail': final String detail})
            FieldError(pointer, detail),
    ],
    retryAfter: retryAfter,
    requestId: requestId,
  );

  /// The HTTP status.
  final int status;

  /// The stable word for programs.
  final ProblemCode code;

  /// What happened and what to do.
  final String detail;

  /// Each wrong field.
  final List<FieldError> errors;

  /// How long to wait before the next attempt.
  final Duration? retryAfter;

  /// Names the request in the server's log.
  final String? requestId;
}

/// One wrong field of a request.
final class FieldError {
  /// A field and what is wrong with it.
  const FieldError(this.pointer, this.detail);

  /// A JSON pointer (RFC 6901) to the field.
  final String pointer;

  /// What is wrong and what is wanted.
  final String detail;

  @override
  String toString() => '$pointer: $detail';
}
