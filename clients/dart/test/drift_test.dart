/// The client against what the server says of itself: `openapi.json`, `docs/errors.md`, and the README against the
/// tests. What drifts fails here.
library;

import 'dart:collection';
import 'dart:convert';
import 'dart:io';
import 'dart:typed_data';

import 'package:lamina_client/lamina_client.dart';

import '../tool/codes.dart';
import 'support/harness.dart';

String read(String path) => File.fromUri(Platform.script.resolve('../../../$path')).readAsStringSync();

final Map<String, Object?> api = json.decode(read('crates/lamina/openapi.json')) as Map<String, Object?>;

typedef Json = Map<String, Object?>;

final Json _schemas = (api['components']! as Json)['schemas']! as Json;

Json schema(String name) => _schemas[name]! as Json;

/// The schemas that [schema] is made of, resolved.
List<Json> parts(Json schema) => [
  for (final part in schema['allOf'] as List<Object?>? ?? const [])
    if (part case {r'$ref': final String ref}) resolve(ref) else part! as Json,
];

/// The properties of a schema, those of the schemas that it is made of included.
Json properties(Json schema) => {
  for (final part in parts(schema)) ...properties(part),
  ...schema['properties'] as Json? ?? const {},
};

Set<String> requiredOf(Json schema) => {
  for (final part in parts(schema)) ...requiredOf(part),
  ...(schema['required'] as List<Object?>? ?? const []).cast<String>(),
};

Json resolve(String ref) => schema(ref.split('/').last);

List<String> words(String name) => (schema(name)['enum']! as List<Object?>).cast();

/// A JSON object that knows which of its fields were asked for.
final class Asked extends MapBase<String, Object?> {
  Asked(this._inner);
  final Json _inner;
  final Set<String> asked = {};

  @override
  Object? operator [](Object? key) {
    asked.add(key! as String);
    return _inner[key];
  }

  @override
  void operator []=(String key, Object? value) => _inner[key] = value;
  @override
  Iterable<String> get keys => _inner.keys;
  @override
  void clear() => _inner.clear();
  @override
  Object? remove(Object? key) => _inner.remove(key);
}

final Json box = {'x': 1, 'y': 2, 'width': 3, 'height': 4};
final Json layer = {
  'id': 'layer_0',
  'url': 'https://x/files/1?exp=1&sig=s',
  'width': 9,
  'height': 9,
  'order': 0,
  'bbox': box,
};
const time = '2026-11-22T17:49:03.846Z';
final Json summary = {
  'job_id': 'j',
  'status': 'pending',
  'progress': 0.5,
  'created_at': time,
  'expires_at': time,
};
final Json image = {
  'upload_id': 'u',
  'url': 'https://x/u',
  'content_type': 'image/png',
  'width': 1,
  'height': 1,
  'bytes': 1,
  'expires_at': time,
};

/// Every field of the schema [name] is read by [decode], and [decode] needs none that the schema does not require.
void reads(String name, Json example, Object? Function(Json json) decode) {
  test('the client reads every field of $name, and needs none that may be missing', () async {
    final asked = Asked({...example});
    decode(asked);
    final fields = properties(schema(name)).keys.toSet();
    equal(fields.difference(asked.asked), <String>{}, 'fields of $name that the client does not read');
    final needed = <String>{};
    for (final field in example.keys) {
      try {
        decode({...example}..remove(field));
      } on MalformedAnswerException {
        needed.add(field);
      }
    }
    equal(
      needed.difference(requiredOf(schema(name))),
      <String>{},
      'fields of $name that the client needs and the server may leave out',
    );
    decode({
      ...example,
      'a_field_of_tomorrow': {'x': []},
    });
  });
}

/// Whether a comment, or an annotation below one or in place of one, stands before the line at [at]; within a private class, or the body of a function,
/// none is wanted.
bool _documented(List<String> lines, int at) {
  final within = lines[at].startsWith('  ');
  if (within) {
    // The declaration at the margin that this line belongs to.
    var above = at;
    while (above > 0 && !RegExp(r'^[A-Za-z@]').hasMatch(lines[above])) {
      above--;
    }
    final head = lines[above];
    if (!RegExp(r'\b(class|mixin|extension|enum)\b').hasMatch(head) ||
        RegExp(r'\b(class|type) _').hasMatch(head)) {
      return true;
    }
  }
  for (var above = at - 1; above >= 0; above--) {
    final line = lines[above].trim();
    if (line.startsWith('///')) return true;
    if (line.startsWith('@override') || line.startsWith('@JS')) return true;
    if (!line.startsWith('@') && !line.startsWith('//')) return false;
  }
  return false;
}

/// Routes that the client has and that the server is about to get.
const _ofTomorrow = {
  '/api/jobs/{id}/export/{format}',
  '/api/jobs/{id}/composite',
  '/files/exports/{id}/{file}',
};

void main() {
  reads('Job', {...summary, 'status': 'completed', 'layers': <Object?>[]}, Job.fromJson);
  reads('JobSummary', summary, JobSummary.fromJson);
  reads('JobPage', {
    'jobs': [summary],
  }, JobPage.fromJson);
  reads('JobAccepted', {'job_id': 'j', 'status': 'pending'}, CreatedJob.fromJson);
  reads('Layer', layer, Layer.fromJson);
  reads('BoundingBox', box, PixelRect.fromJson);
  final tile = {'bbox': box, 'mean_error': 1.5};
  final pair = {'lower': 0, 'upper': 1, 'iou': 1, 'colour_difference': 0};
  final oddities = {'order': 0, 'visible': 1, 'empty': false, 'whole_picture': false, 'fringe': null};
  reads('WorstTile', tile, WorstTile.fromJson);
  reads('DuplicateLayers', pair, DuplicateLayers.fromJson);
  reads('LayerQuality', oddities, LayerQuality.fromJson);
  reads('Quality', {
    'mean_error': 0.5,
    'p99_error': 4,
    'psnr_db': null,
    'worst_tile': tile,
    'uncovered': 0,
    'order_confidence': 1,
    'better_order': null,
    'duplicates': [pair],
    'layers': [oddities],
  }, StackQuality.fromJson);
  reads('Upload', image, StoredImage.fromJson);
  reads('UploadStatus', {'upload_id': 'u', 'status': 'pending', 'expires_at': time}, UploadStatus.fromJson);
  reads('Ticket', {
    'upload_id': 'u',
    'method': 'PUT',
    'url': 'https://x/u',
    'headers': {'Content-Type': 'image/png'},
    'max_bytes': 1,
    'expires_at': time,
  }, UploadTicket.fromJson);

  reads('Webhooks', {'secret': 'whsec_x'}, WebhookSettings.fromJson);
  reads('Delivery', {
    'id': 'd',
    'job_id': 'j',
    'event': 'job.completed',
    'url': 'https://x/hooks',
    'state': 'due',
    'attempts': 1,
    'created_at': time,
  }, WebhookDelivery.fromJson);

  reads('DeliveryList', {'deliveries': <Object?>[]}, WebhookDeliveryPage.fromJson);

  test('the events of webhooks are read as they are described', () {
    final described = api['webhooks']! as Json;
    equal(described.keys.toSet(), {WebhookEvent.completed, WebhookEvent.failed, WebhookEvent.expired});
    for (final MapEntry(:key, :value) in described.entries) {
      final post = (value! as Json)['post']! as Json;
      final content = ((post['requestBody']! as Json)['content']! as Json)['application/json']! as Json;
      final event = content['schema']! as Json;
      equal(properties(event).keys.toSet(), {'type', 'timestamp', 'data'});
      final data = Asked({
        'job_id': 'j',
        'status': 'completed',
        'created_at': time,
        'expires_at': time,
        'engine': 'fal',
      });
      equal(WebhookEvent.fromJson({'type': key, 'timestamp': time, 'data': data}).type, key);
      final fields = properties((event['properties']! as Json)['data']! as Json).keys.toSet();
      equal(fields.difference(data.asked), <String>{}, 'fields of $key that the client does not read');
    }
  });

  if (_schemas.containsKey('Export')) {
    reads('Export', {'format': 'psd', 'url': 'https://x/e'}, ExportLink.fromJson);
  }

  if (_schemas.containsKey('CompositeRecipe')) {
    test('the client can set every field of a recipe, and no other', () {
      final shown = Layer.fromJson(layer);
      final recipe = LayerArrangement.of([shown])
          .resize(shown.id, 2)
          .recipe(background: '#ffffff', crop: const PixelRect(0, 0, 1, 1), format: 'png', maxSide: 1);
      equal(recipe.keys.toSet(), properties(schema('CompositeRecipe')).keys.toSet());
      final forExports = LayerArrangement.of(
        const [],
      ).recipe(background: '#ffffff', crop: const PixelRect(0, 0, 1, 1));
      equal(forExports.keys.toSet(), properties(schema('ExportRecipe')).keys.toSet());
      equal((recipe['crop']! as Json).keys.toSet(), properties(schema('CropBox')).keys.toSet());
      final placed = (recipe['layers']! as List<Object?>).single! as Json;
      equal(placed.keys.toSet(), properties(schema('PlacedLayer')).keys.toSet());
    });
  }

  test('the layers of a list are read', () {
    final fields = properties(schema('LayerList')).keys.toSet();
    equal(fields, {'job_id', 'layers', 'exports'});
  });

  test('an arrangement of the client is one that the server takes', () {
    final kept = LayerArrangement.of([Layer.fromJson(layer)]).toJson();
    equal(kept.keys.toSet().difference(properties(schema('CompositeRecipe')).keys.toSet()), <String>{});
    final placed = (kept['layers']! as List<Object?>).first! as Json;
    equal(placed.keys.toSet().difference(properties(schema('PlacedLayer')).keys.toSet()), <String>{});
  });

  test('the client can set every field of CreateJob', () {
    final options = SplitOptions(
      numLayers: SplitOptions.autoLayers,
      prompt: 'p',
      negativePrompt: 'n',
      seed: 1,
      numInferenceSteps: 2,
      guidanceScale: 3,
      engine: Engine.auto,
      resolution: Resolution.source,
      webhookUrl: Uri.parse('https://x/hooks'),
    );
    final set = {
      ...JobRequest.upload('u', options: options).body.keys,
      ...JobRequest.url(Uri.parse('https://x/y.png')).body.keys,
      ...JobRequest.bytes(Uint8List(1)).body.keys,
    };
    equal(set, properties(schema('CreateJob')).keys.toSet());
  });

  test('problems are read as the server writes them', () {
    final known = {'type', 'title', 'status', 'detail', 'code', 'errors', 'checks'};
    equal(properties(schema('Problem')).keys.toSet().difference(known), <String>{}, 'new fields of Problem');
    final problem = Problem.fromJson({
      'code': 'invalid_fields',
      'detail': 'd',
      'errors': [
        {'pointer': '/a', 'detail': 'b'},
        'a string of tomorrow',
      ],
    }, status: 422);
    equal('${problem.errors}', '[/a: b]');
  });

  test('words of the server are words of the client', () {
    equal([for (final status in JobStatus.values) status.name], words('Status'));
    equal([for (final state in UploadState.values) state.name], words('UploadState'));
    final engines = {Engine.local, Engine.fal};
    equal(words('EngineKind').toSet().difference(engines), <String>{}, 'engines without a constant');
  });

  test('every code of the documentation is a constant, and no other is', () {
    final constants = RegExp(r"(ProblemCode|FailureCode)\('(\w+)'\)");
    Set<String> codes(String source) => {
      for (final match in constants.allMatches(source)) '${match[1]} ${match[2]}',
    };
    final written = codes(read('clients/dart/lib/src/codes.dart'));
    final documented = codes(codesSource(read('docs/errors.md')));
    equal(documented.difference(written), <String>{}, 'codes without a constant; run: dart tool/codes.dart');
    equal(written.difference(documented), <String>{}, 'constants without a code; run: dart tool/codes.dart');
    check(ProblemCode.known.length > 50 && FailureCode.known.length > 40, 'the tables were read');
  });

  test('every refusal becomes the exception that its status promises', () {
    final errors = read('docs/errors.md');
    for (final row in [...tableRows(errors, 'Requests'), ...tableRows(errors, 'Pictures')]) {
      final status = int.tryParse(row[1]);
      if (status == null) continue;
      final code = codeOf(row);
      final exception = ProblemException.of(
        Problem(status: status, code: ProblemCode(code), detail: 'A sentence.'),
      );
      final fits = switch (exception) {
        PictureRefusedException() => code.startsWith('image_') || status == 413,
        UnauthorizedException() => status == 401,
        ForbiddenException() => status == 403 || status == 421,
        NotFoundException() => status == 404 || code == 'upload_not_found',
        ConflictException() => status == 409 || status == 412,
        GoneException() => status == 410,
        LimitReachedException() => status == 402 || status == 429 || status == 507,
        ServerException() => status >= 500 && status != 507 || status == 408 || status == 460,
        InvalidRequestException() =>
          status == 400 || status == 405 || status == 406 || status == 415 || status == 416 || status == 422,
      };
      check(fits, '$code ($status) is a ${exception.runtimeType}');
    }
  });

  test('routes that the client asks for are in the description, or said to be missing', () {
    final routes = (api['paths']! as Json).keys.toSet();
    const asked = {
      '/api/events',
      '/api/jobs',
      '/api/jobs/{id}',
      '/api/jobs/{id}/layers',
      '/api/jobs/{id}/events',
      '/api/webhooks',
      '/api/webhooks/secret',
      '/api/webhooks/deliveries',
      '/api/webhooks/deliveries/{id}',
      '/api/webhooks/deliveries/{id}/replay',
      '/api/upload',
      '/api/uploads',
      '/api/uploads/{id}',
      '/api/uploads/tus',
      '/api/uploads/tus/{id}',
    };
    equal(asked.difference(routes), <String>{});
    // Beside those of operators: for load balancers, for fal; and the address that links have.
    const others = {'/files/{kind}/{id}/{file}', '/healthz', '/hooks/fal/{job_id}/{nonce}', '/readyz'};
    equal(
      {
        for (final route in routes)
          if (!route.startsWith('/api/admin/')) route,
      }.difference({...asked, ...others, ..._ofTomorrow}),
      <String>{},
      'routes that the client neither has nor leaves out on purpose',
    );
  });

  test('the three lines of the READMEs are the code of a test', () {
    String words(String source) => source.replaceAll(RegExp(r'\s+'), '');
    final tested = read('clients/dart/test/real_test.dart');
    final code = tested.split('// README:begin').last.split('// README:end').first;
    for (final path in ['clients/dart/README.md', 'README.md']) {
      final shown = read(path).split('```dart\n').elementAt(1).split('```').first;
      equal(words(shown), words(code), 'the first Dart code of $path');
    }
  });

  test('each package has what the package site looks for', () {
    for (final package in ['dart', 'lamina_client_http', 'lamina_flutter']) {
      final pubspec = read('clients/$package/pubspec.yaml');
      final description = RegExp(r'description: >-\n((?:  .*\n)+)').firstMatch(pubspec)![1]!;
      final words = description.trim().split(RegExp(r'\s+')).join(' ');
      check(words.length >= 60 && words.length <= 180, '$package: ${words.length} characters: $words');
      final topics = [
        for (final topic in RegExp(r'^  - (\S+)$', multiLine: true).allMatches(pubspec)) topic[1]!,
      ];
      check(topics.isNotEmpty && topics.length <= 5, '$package: $topics');
      for (final topic in topics) {
        check(RegExp(r'^[a-z][a-z0-9-]{0,30}[a-z0-9]$').hasMatch(topic) && !topic.contains('--'), topic);
      }
      final version = RegExp(r'^version: (\S+)$', multiLine: true).firstMatch(pubspec)![1]!;
      check(read('clients/$package/CHANGELOG.md').contains('\n## $version\n'), '$package: $version');
      check(read('clients/$package/LICENSE').contains('Permission is hereby granted'), '$package: licence');
      check(read('clients/$package/analysis_options.yaml').contains('public_member_api_docs'), package);
      check(read('clients/$package/README.md').length > 500, '$package: README');
      final examples = Directory.fromUri(Platform.script.resolve('../../$package/example'));
      check(
        examples.listSync(recursive: true).any((file) => file.path.endsWith('.dart')),
        '$package: an example',
      );
    }
  });

  test('every public declaration says what it is', () {
    // Formatted code: a declaration begins with a letter, at the margin or within a class.
    final declaration = RegExp(
      r'^(?:  )?(?!_|//|@|return|if|for|import|export|library|part|external|super|this|case|default|throw|await|yield|var |switch|while|try|\})'
      r'[A-Za-z][\w<>?,\[\]{}(). ]*?(?:[({=;]|=>|get )',
    );
    final bare = <String>[];
    for (final package in ['dart', 'lamina_client_http', 'lamina_flutter']) {
      for (final file in Directory.fromUri(
        Platform.script.resolve('../../$package/lib'),
      ).listSync(recursive: true)) {
        if (file is! File || !file.path.endsWith('.dart')) continue;
        final lines = file.readAsLinesSync();
        for (var at = 1; at < lines.length; at++) {
          final line = lines[at];
          if (!declaration.hasMatch(line)) continue;
          if (RegExp(r'\s(class|type|get) _|[\s.]_\w*\s*[(=;,]').hasMatch(' $line')) continue;
          if (!_documented(lines, at)) bare.add('${file.path.split('/clients/').last}:${at + 1} $line');
        }
      }
    }
    equal(bare, <String>[]);
  });

  test('no file of the client names another library than those of the SDK', () {
    final imports = RegExp(r"^(?:import|export) '([^']+)'", multiLine: true);
    for (final file in Directory.fromUri(Platform.script.resolve('../lib')).listSync(recursive: true)) {
      if (file is! File) continue;
      for (final match in imports.allMatches(file.readAsStringSync())) {
        final target = match[1]!;
        check(
          !target.startsWith('package:') || target.startsWith('package:lamina_client/'),
          '${file.path}: $target',
        );
        final onlyThere = {'dart:io': '_io.dart', 'dart:isolate': '_io.dart', 'dart:js_interop': '_web.dart'};
        if (onlyThere[target] case final ending?) check(file.path.endsWith(ending), '${file.path}: $target');
      }
    }
  });

  runTests();
}
