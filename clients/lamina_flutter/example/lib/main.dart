import 'dart:io';

import 'package:flutter/material.dart';
import 'package:image_picker/image_picker.dart';
import 'package:lamina_client/lamina_client.dart';
import 'package:lamina_flutter/lamina_flutter.dart';
import 'package:path_provider/path_provider.dart';
import 'package:share_plus/share_plus.dart';

/// Where the server is: `flutter run --dart-define=LAMINA=http://10.0.2.2:8080` from the Android emulator.
const server = String.fromEnvironment('LAMINA', defaultValue: 'http://127.0.0.1:8080');

void main() => runApp(const MaterialApp(title: 'lamina', restorationScopeId: 'app', home: SplitPage()));

class SplitPage extends StatefulWidget {
  const SplitPage({super.key});

  @override
  State<SplitPage> createState() => _SplitPageState();
}

class _SplitPageState extends State<SplitPage> with RestorationMixin {
  // An app with users gives a token provider here, and never a key of the server.
  final LaminaClient lamina = LaminaClient(Uri.parse(server));
  late final LaminaController controller = LaminaController(lamina)..addListener(_changed);
  final RestorableStringN _jobId = RestorableStringN(null);
  LayerArrangement? _arrangement;
  bool _exploded = false;

  @override
  String get restorationId => 'split';

  @override
  void restoreState(RestorationBucket? oldBucket, bool initialRestore) {
    registerForRestoration(_jobId, 'job');
    if (_jobId.value case final id? when initialRestore) controller.resume(id);
  }

  void _changed() {
    setState(() {
      _jobId.value = controller.jobId;
      if (controller.state case LaminaDone(:final job)) _arrangement ??= LayerArrangement.of(job.layers);
    });
  }

  Future<void> _pick() async {
    final picked = await ImagePicker().pickImage(
      source: ImageSource.gallery,
      maxWidth: 4096,
      maxHeight: 4096,
    );
    if (picked == null) return;
    _arrangement = null;
    await controller.split(ImageInput.stream(await picked.length(), (start) => picked.openRead(start)));
  }

  Future<void> _share(String jobId) async {
    final messages = ScaffoldMessenger.of(context);
    try {
      final file = File('${(await getTemporaryDirectory()).path}/layers.psd');
      await lamina.export(jobId, 'psd').pipe(file.openWrite());
      await SharePlus.instance.share(ShareParams(files: [XFile(file.path)]));
    } on LaminaException catch (error) {
      messages.showSnackBar(SnackBar(content: Text(error.message)));
    }
  }

  @override
  void dispose() {
    controller
      ..removeListener(_changed)
      ..dispose();
    lamina.close();
    _jobId.dispose();
    super.dispose();
  }

  @override
  Widget build(BuildContext context) => Scaffold(
    appBar: AppBar(
      title: const Text('lamina'),
      actions: [
        if (controller.state case LaminaDone(:final job)) ...[
          IconButton(
            onPressed: () => setState(() => _exploded = !_exploded),
            icon: const Icon(Icons.layers),
            tooltip: 'Pull apart',
          ),
          IconButton(onPressed: () => _share(job.id), icon: const Icon(Icons.share), tooltip: 'Share as PSD'),
        ],
      ],
    ),
    body: Center(
      child: Padding(
        padding: const EdgeInsets.all(24),
        child: switch (controller.state) {
          LaminaIdle() => const Text('Choose a photo, and it comes apart into layers.'),
          LaminaWorking(:final fraction, :final job) => Column(
            mainAxisSize: MainAxisSize.min,
            children: [
              LinearProgressIndicator(value: fraction),
              const SizedBox(height: 16),
              Text(job?.eta == null ? 'One moment …' : 'About ${job!.eta!.inSeconds} s'),
              TextButton(onPressed: controller.cancel, child: const Text('Cancel')),
            ],
          ),
          LaminaDone() => TweenAnimationBuilder<double>(
            tween: Tween(end: _exploded ? 0.5 : 0),
            duration: const Duration(milliseconds: 300),
            builder: (context, exploded, _) => LayerStack(
              client: lamina,
              arrangement: _arrangement!,
              exploded: exploded,
              placeholder: const CircularProgressIndicator(),
              onChanged: (arrangement) => setState(() => _arrangement = arrangement),
            ),
          ),
          LaminaFailed(:final error) => Text(error.message, textAlign: TextAlign.center),
        },
      ),
    ),
    floatingActionButton: FloatingActionButton.extended(
      onPressed: _pick,
      icon: const Icon(Icons.photo),
      label: const Text('Photo'),
    ),
  );
}
