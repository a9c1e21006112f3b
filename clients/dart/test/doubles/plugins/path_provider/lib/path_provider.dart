/// A double of `package:path_provider` 2.1.
library;

import 'dart:io';

Future<Directory> getTemporaryDirectory() => throw UnimplementedError();
