import 'transport.dart';

/// The transport of a platform with neither `dart:io` nor `fetch`.
Transport defaultTransport(Duration connectTimeout) =>
    throw UnsupportedError('This platform has no default transport; give LaminaClient one.');
