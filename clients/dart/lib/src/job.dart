import 'codes.dart';
import 'exceptions.dart';
import 'layer.dart';
import 'quality.dart';
import 'reading.dart';

/// Where a job is. A status that a newer server adds reads as [processing].
enum JobStatus {
  /// Not yet accepted by an engine.
  pending,

  /// An engine works on it.
  processing,

  /// All layers are there.
  completed,

  /// It ended without layers.
  failed;

  /// Whether nothing changes any more, other than its expiry.
  bool get isFinal => this == completed || this == failed;

  /// The status of that [name].
  static JobStatus of(String name) => values.asNameMap()[name] ?? processing;
}

/// An engine's name. Others than these constants are possible.
extension type const Engine(String name) implements String {
  /// Whatever the server has.
  static const auto = Engine('auto');

  /// The server's embedded engine: no key, no cost.
  static const local = Engine('local');

  /// fal.ai's model, by the server's key.
  static const fal = Engine('fal');
}

/// How large layers are. Others than these constants are possible.
extension type const Resolution(String name) implements String {
  /// As the engine gives them.
  static const engine = Resolution('engine');

  /// As large as the picture, and its own colours where they are seen.
  static const source = Resolution('source');
}

/// A job as the list of jobs shows it: without its layers.
base class JobSummary {
  /// Reads the server's [json].
  JobSummary.fromJson(this.json)
    : id = json.need('job_id'),
      status = JobStatus.of(json.need('status')),
      progress = json.need<double>('progress').clamp(0, 1).toDouble(),
      error = json.opt('error'),
      errorCode = switch (json.opt<String>('error_code')) {
        null => null,
        final code => FailureCode(code),
      },
      engine = Engine(json.opt('engine') ?? ''),
      resolution = Resolution(json.opt('resolution') ?? 'engine'),
      queuePosition = json.opt('queue_position'),
      eta = switch (json.opt<int>('eta_seconds')) {
        null => null,
        final seconds => Duration(seconds: seconds),
      },
      createdAt = json.needTime('created_at'),
      expiresAt = json.needTime('expires_at');

  /// Everything the server said, fields of newer servers included.
  final Map<String, Object?> json;

  /// Its id.
  final String id;

  /// Where it is.
  final JobStatus status;

  /// 0.0 to 1.0; never falls, and 1.0 only when every layer can be fetched.
  final double progress;

  /// Why it failed, as a sentence; null unless failed.
  final String? error;

  /// Why it failed, as a stable word; null unless failed.
  final FailureCode? errorCode;

  /// The engine it runs on.
  final Engine engine;

  /// How large its layers are.
  final Resolution resolution;

  /// Requests ahead of it at the engine, while it queues there.
  final int? queuePosition;

  /// Time to completion by the measured duration of past runs, while an engine works on it.
  final Duration? eta;

  /// When it was created, in UTC.
  final DateTime createdAt;

  /// When it, its layers and every link to them go, in UTC.
  final DateTime expiresAt;

  @override
  String toString() => 'Job $id: ${status.name}, ${(progress * 100).round()} %';
}

/// One job, by where it is: a `switch` over the four classes needs no default.
sealed class Job extends JobSummary {
  Job._(super.json) : super.fromJson();

  /// Reads the server's [json].
  factory Job.fromJson(Map<String, Object?> json) => switch (JobStatus.of(json.need('status'))) {
    JobStatus.pending => PendingJob._(json),
    JobStatus.processing => ProcessingJob._(json),
    JobStatus.completed => CompletedJob._(json),
    JobStatus.failed => FailedJob._(json),
  };
}

/// Not yet accepted by an engine.
final class PendingJob extends Job {
  PendingJob._(super.json) : super._();
}

/// An engine works on it.
final class ProcessingJob extends Job {
  ProcessingJob._(super.json) : super._();
}

/// All layers are there.
final class CompletedJob extends Job {
  CompletedJob._(super.json)
    : layers = layersFromJson(json),
      quality = switch (json.opt<Map<String, Object?>>('quality')) {
        null => null,
        final quality => StackQuality.fromJson(quality),
      },
      super._();

  /// The stack, bottom first. Drawn one over the other with straight alpha, they are the picture again.
  final List<Layer> layers;

  /// How well they give the picture back; null where the server did not measure it.
  final StackQuality? quality;
}

/// It ended without layers.
final class FailedJob extends Job {
  FailedJob._(super.json) : super._();

  /// Why, as a sentence for a person.
  @override
  String get error => super.error ?? 'The job failed.';

  /// Why, as a stable word; empty if the server gave none.
  FailureCode get code => super.errorCode ?? const FailureCode('');

  /// Whether the same picture with the same options may do better in a new job. False for a code that this
  /// version does not know: nobody should pay twice by a guess.
  bool get worthCreatingAgain => _worthCreatingAgain.contains(code);

  static const _worthCreatingAgain = [
    FailureCode.engineBusy,
    FailureCode.engineUnavailable,
    FailureCode.engineFailed,
    FailureCode.engineTimeout,
    FailureCode.engineResultExpired,
    FailureCode.engineBadLayer,
    FailureCode.spendLimitReached,
    FailureCode.storageQuotaExceeded,
    FailureCode.sourceLost,
    FailureCode.storageUnavailable,
    FailureCode.fetchDnsFailed,
    FailureCode.fetchConnectFailed,
    FailureCode.fetchTimeout,
    FailureCode.fetchInterrupted,
    FailureCode.fetchUnavailable,
  ];
}

/// A page of jobs, newest first.
final class JobPage {
  /// Reads the server's [json].
  JobPage.fromJson(Map<String, Object?> json)
    : jobs = [for (final job in json.need<List<Object?>>('jobs')) JobSummary.fromJson(asObject(job))],
      nextCursor = json.opt('next_cursor');

  /// The jobs.
  final List<JobSummary> jobs;

  /// Asks for the next page; null on the last one.
  final String? nextCursor;
}

/// The answer to a create.
final class CreatedJob {
  /// Reads the server's [json]; [replayed] is said by a header.
  CreatedJob.fromJson(Map<String, Object?> json, {this.replayed = false})
    : id = json.need('job_id'),
      status = JobStatus.of(json.need('status')),
      // The short answer has no times.
      job = json.containsKey('created_at') ? Job.fromJson(json) : null;

  /// The job's id. Keep it: with it a watch goes on after the app was closed.
  final String id;

  /// [JobStatus.pending], or where the job of a repeated create is by now.
  final JobStatus status;

  /// Whether an earlier attempt had made the job already.
  final bool replayed;

  /// The job after the wait that was asked for; null where the server did not wait.
  final Job? job;
}
