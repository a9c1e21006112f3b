import 'dart:async';
import 'dart:convert';

import 'transport.dart';

/// What becomes of one job of a [FakeLamina]: one state for each time that it is read; the last one stays.
final class FakeJob {
  /// A job that goes through [states], each the fields that differ from those of a pending job.
  const FakeJob(this.states, {this.files = const {}});

  /// A job that completes with [layers] (the file of each, bottom first) after [steps] readings.
  FakeJob.completes(List<List<int>> layers, {int steps = 3, int width = 100, int height = 100})
    : this(
        [
          for (var step = 0; step < steps; step++)
            {'status': step == 0 ? 'pending' : 'processing', 'progress': step / steps},
          {
            'status': 'completed',
            'progress': 1.0,
            'layers': [
              for (final (order, file) in layers.indexed)
                {
                  'id': 'layer_$order',
                  'url': '${FakeLamina.uri}/files/layer_$order.png?sig=fake',
                  'width': width,
                  'height': height,
                  'order': order,
                  'bbox': {'x': 0, 'y': 0, 'width': width, 'height': height},
                  'bytes': file.length,
                },
            ],
          },
        ],
        files: {for (final (order, file) in layers.indexed) 'layer_$order.png': file},
      );

  /// A job that fails with [code] and [sentence] after [steps] readings.
  FakeJob.fails(String code, String sentence, {int steps = 1})
    : this([
        for (var step = 0; step < steps; step++) {'status': 'processing', 'progress': 0.1},
        {'status': 'failed', 'error': sentence, 'error_code': code},
      ]);

  /// The states.
  final List<Map<String, Object?>> states;

  /// The files of its layers by name.
  final Map<String, List<int>> files;
}

/// A lamina server in memory: give it to `LaminaClient(FakeLamina.uri, transport: fake)`. It keeps to the contract of the routes that it has
/// (upload in one request, jobs, layers, files), waits for nothing, and answers 404 to all others.
final class FakeLamina implements Transport {
  /// A server whose jobs are [jobs], in the order in which they are created; the last one serves all that follow.
  FakeLamina(this.jobs);

  /// Where it is.
  static final Uri uri = Uri.parse('https://lamina.invalid');

  /// What becomes of jobs.
  final List<FakeJob> jobs;

  /// Whether there is no network.
  bool offline = false;

  /// Answers the next requests, before anything else is looked at: a status and a code, such as `(429, 'rate_limited')`.
  final List<(int, String)> refusals = [];

  /// Methods and paths of all requests, for a test to look at.
  final List<String> requests = [];

  final Map<String, (FakeJob, int)> _jobs = {};
  final Map<String, String> _keys = {};
  final Set<String> _deleted = {};

  @override
  Future<TransportResponse> send(TransportRequest request) async {
    if (offline) throw const TransportException('There is no network.', neverSent: true);
    final path = request.uri.pathSegments;
    requests.add('${request.method} ${request.uri.path}');
    final body = <int>[];
    if (request.body case final sent?) await sent.open().forEach(body.addAll);
    if (refusals.isNotEmpty) {
      final (status, code) = refusals.removeAt(0);
      return _problem(status, code);
    }
    return switch ((request.method, path)) {
      ('POST', ['api', 'upload']) => _json(201, {
        'upload_id': 'upload-${requests.length}',
        'url': '$uri/files/upload.png?sig=fake',
        'content_type': 'image/png',
        'width': 100,
        'height': 100,
        'bytes': body.length,
        'expires_at': _expires,
      }),
      ('POST', ['api', 'jobs']) => _create(request.headers['idempotency-key']),
      ('GET', ['api', 'jobs']) => _json(200, {
        'jobs': [for (final id in _jobs.keys.toList().reversed) _state(id)..remove('layers')],
        'next_cursor': null,
      }),
      ('GET', ['api', 'jobs', final id]) => _read(id),
      ('GET', ['api', 'jobs', final id, 'layers']) => _layers(id),
      ('DELETE', ['api', 'jobs', final id]) => _delete(id),
      ('GET', ['files', final name]) => _file(name),
      _ => _problem(404, 'route_not_found'),
    };
  }

  TransportResponse _create(String? key) {
    final known = _keys[key];
    if (known != null)
      return _json(202, {'job_id': known, 'status': 'pending'}, {'idempotency-replayed': 'true'});
    final id = 'job-${_jobs.length + _deleted.length + 1}';
    final index = _jobs.length + _deleted.length;
    _jobs[id] = (jobs[index < jobs.length ? index : jobs.length - 1], 0);
    if (key != null) _keys[key] = id;
    return _json(202, {'job_id': id, 'status': 'pending'});
  }

  TransportResponse _read(String id) {
    final found = _jobs[id];
    if (found == null) return _gone(id);
    final answer = _json(200, _state(id), {'retry-after': '0'});
    final (job, at) = found;
    if (at < job.states.length - 1) _jobs[id] = (job, at + 1);
    return answer;
  }

  TransportResponse _layers(String id) {
    if (!_jobs.containsKey(id)) return _gone(id);
    final state = _state(id);
    return state['status'] == 'completed'
        ? _json(200, {'job_id': id, 'layers': state['layers']})
        : _problem(409, state['status'] == 'failed' ? 'job_failed' : 'job_not_completed');
  }

  TransportResponse _delete(String id) {
    if (_jobs.remove(id) == null) return _gone(id);
    _deleted.add(id);
    return const TransportResponse(204, {}, Stream.empty());
  }

  TransportResponse _gone(String id) =>
      _deleted.contains(id) ? _problem(410, 'job_deleted') : _problem(404, 'job_not_found');

  TransportResponse _file(String name) {
    for (final (job, _) in _jobs.values) {
      if (job.files[name] case final file?) return TransportResponse(200, const {}, Stream.value(file));
    }
    return _problem(410, 'file_gone');
  }

  Map<String, Object?> _state(String id) {
    final (job, at) = _jobs[id]!;
    return {
      'job_id': id,
      'status': 'pending',
      'progress': 0.0,
      'layers': null,
      'error': null,
      'error_code': null,
      'engine': 'local',
      'created_at': _created,
      'expires_at': _expires,
      ...job.states[at],
    };
  }

  static const _created = '2030-01-01T00:00:00Z';
  static const _expires = '2030-01-02T00:00:00Z';

  static TransportResponse _json(
    int status,
    Map<String, Object?> body, [
    Map<String, String> headers = const {},
  ]) => TransportResponse(status, {
    'content-type': 'application/json',
    ...headers,
  }, Stream.value(utf8.encode(json.encode(body))));

  static TransportResponse _problem(int status, String code) => TransportResponse(
    status,
    const {'content-type': 'application/problem+json'},
    Stream.value(
      utf8.encode(json.encode({'status': status, 'code': code, 'detail': 'The fake server says $code.'})),
    ),
  );

  @override
  void close() {}
}
