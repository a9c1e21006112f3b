import 'codes.dart';
import 'job.dart';
import 'reading.dart';

/// What has become of one of the owner's jobs.
sealed class JobNews {
  /// What all news are.
  const JobNews();

  /// Reads the data of an event: a job, or the problem that reading it gives now.
  factory JobNews.fromJson(Map<String, Object?> json) => json['status'] is String
      ? JobChanged(Job.fromJson(json))
      : JobGone(json.need('job_id'), ProblemCode(json.opt('code') ?? ''));

  /// The job.
  String get jobId;
}

/// A job was made, moved, or ended.
final class JobChanged extends JobNews {
  /// As [job] is now.
  const JobChanged(this.job);

  /// The job now.
  final Job job;

  @override
  String get jobId => job.id;

  @override
  String toString() => 'JobChanged: $job';
}

/// A job was deleted or has expired.
final class JobGone extends JobNews {
  /// By [code].
  const JobGone(this.jobId, this.code);

  @override
  final String jobId;

  /// [ProblemCode.jobDeleted] or [ProblemCode.jobExpired].
  final ProblemCode code;

  @override
  String toString() => 'JobGone: $jobId, $code';
}
